"""librdkafka's mock cluster as a process of its own: the Kafka protocol over TCP, in memory, without Java."""

import ctypes
import json
import sys
import threading
from pathlib import Path

from infra.local.process import Process, listening

START_SECONDS = 20.0
PRODUCER = 0
ROOT = Path(__file__).resolve().parents[3]


class EmbeddedKafka:
    """A broker that keeps records in memory: what it held is gone when it stops. Its port is its own choice."""

    kind = "embedded"
    api_version = "2.3"

    def __init__(self, home: Path) -> None:
        """Keep the log and the address under `home`."""
        self._address = home / "address.json"
        self._topics = home / "topics.json"
        self.process = Process("kafka", home)

    @property
    def bootstrap_servers(self) -> str:
        """Where clients connect; empty before the first start."""
        return (
            str(json.loads(self._address.read_text())["bootstrap"])
            if self._address.exists()
            else ""
        )

    def describe(self) -> str:
        """Say what it is and is not."""
        return f"embedded Kafka (librdkafka's mock) at {self.bootstrap_servers}: in memory, gone when it stops"

    def running(self) -> bool:
        """Tell whether it accepts connections."""
        servers = self.bootstrap_servers
        return (
            bool(servers) and self.process.running() and listening(int(servers.rpartition(":")[2]))
        )

    def start(self, topics: dict[str, int]) -> bool:
        """Start it with `topics`; one that runs with others is replaced."""
        wanted = json.dumps(topics, sort_keys=True)
        if self.running() and self._topics.read_text() == wanted:
            return False
        self.process.kill()
        self._address.parent.mkdir(parents=True, exist_ok=True)
        self._address.unlink(missing_ok=True)
        self._topics.write_text(wanted)
        self.process.start(
            [
                sys.executable,
                "-m",
                "infra.local.kafka.embedded",
                str(self._topics),
                str(self._address),
            ],
            ready=self.running,
            seconds=START_SECONDS,
            remedy="read the log",
            env={"PYTHONPATH": str(ROOT)},
        )
        return True

    def stop(self) -> None:
        """Shut it down."""
        self.process.stop()

    def kill(self) -> None:
        """Crash it."""
        self.process.kill()

    def pause(self) -> None:
        """Freeze it."""
        self.process.pause()

    def resume(self) -> None:
        """Thaw it."""
        self.process.resume()


def _library() -> ctypes.CDLL:
    import confluent_kafka

    folder = Path(confluent_kafka.__file__).parent.parent / "confluent_kafka.libs"
    library = ctypes.CDLL(str(next(folder.glob("librdkafka*.so*"))))
    for function in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_mock_cluster_new"):
        getattr(library, function).restype = ctypes.c_void_p
    library.rd_kafka_new.argtypes = (
        ctypes.c_int,
        ctypes.c_void_p,
        ctypes.c_char_p,
        ctypes.c_size_t,
    )
    library.rd_kafka_mock_cluster_new.argtypes = (ctypes.c_void_p, ctypes.c_int)
    library.rd_kafka_mock_topic_create.argtypes = (
        ctypes.c_void_p,
        ctypes.c_char_p,
        ctypes.c_int,
        ctypes.c_int,
    )
    library.rd_kafka_mock_cluster_bootstraps.argtypes = (ctypes.c_void_p,)
    library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    return library


def serve(topics: dict[str, int], address: Path) -> None:
    """Run the cluster until the process is ended; write where it listens to `address`."""
    library = _library()
    said = ctypes.create_string_buffer(512)
    handle = library.rd_kafka_new(PRODUCER, library.rd_kafka_conf_new(), said, len(said))
    if not handle:
        raise RuntimeError(f"librdkafka: {said.value.decode()}")
    cluster = library.rd_kafka_mock_cluster_new(handle, 1)
    for name, partitions in topics.items():
        problem = library.rd_kafka_mock_topic_create(cluster, name.encode(), partitions, 1)
        if problem:
            raise RuntimeError(f"librdkafka: cannot create topic {name}: error {problem}")
    bootstrap = library.rd_kafka_mock_cluster_bootstraps(cluster).decode()
    address.write_text(json.dumps({"bootstrap": bootstrap}))
    print(f"serving {len(topics)} topics at {bootstrap}", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    serve(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
