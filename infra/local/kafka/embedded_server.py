"""librdkafka's mock cluster as a process of its own, in memory."""

import ctypes
import json
import sys
import threading
from itertools import chain
from pathlib import Path

import confluent_kafka

PRODUCER = 0
ERROR_BYTES = 512


def _library() -> ctypes.CDLL:
    package = Path(confluent_kafka.__file__).parent
    linux = package.parent.glob("confluent_kafka.libs/librdkafka*.so*")
    macos = package.glob(".dylibs/librdkafka*.dylib")
    library = ctypes.CDLL(str(next(chain(linux, macos))))
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
    """Run the cluster with `topics` (name -> partitions) until the process is ended.

    Where it listens is written to `address`.
    """
    library = _library()
    reason = ctypes.create_string_buffer(ERROR_BYTES)
    handle = library.rd_kafka_new(PRODUCER, library.rd_kafka_conf_new(), reason, len(reason))
    if not handle:
        raise RuntimeError(f"librdkafka: {reason.value.decode()}")
    cluster = library.rd_kafka_mock_cluster_new(handle, 1)
    for name, partitions in topics.items():
        error = library.rd_kafka_mock_topic_create(cluster, name.encode(), partitions, 1)
        if error:
            raise RuntimeError(f"librdkafka: cannot create topic {name}: error {error}")
    bootstrap = library.rd_kafka_mock_cluster_bootstraps(cluster).decode()
    draft = address.with_suffix(".draft")
    draft.write_text(json.dumps({"bootstrap": bootstrap}))
    draft.rename(address)
    print(f"serving {len(topics)} topics at {bootstrap}", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    serve(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
