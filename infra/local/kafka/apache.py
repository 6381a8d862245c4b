"""Apache Kafka in KRaft mode, one node, from its Maven artifacts. Data survives restarts and crashes."""

import hashlib
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from kafka.errors import KafkaError

from chalicelib.config import Settings
from infra.local.process import PartFailed, Process, listening, refuse_foreign
from infra.ops import topics as topic_tools

POM = Path(__file__).with_name("pom.xml")
LOGGING = Path(__file__).with_name("log4j2.properties")
MAVEN_SECONDS = 240
START_SECONDS = 60.0
SETTING = "AETHERLINK_KAFKA_PORT"
JAVA = (
    "java",
    "-Xms256m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
)
PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{advertised}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
controlled.shutdown.enable=false
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
"""


class ApacheKafka:
    """One broker. The jars are fetched once, into `cache`."""

    kind = "apache"
    api_version = ""

    def __init__(
        self,
        home: Path,
        port: int,
        cache: Path,
        *,
        advertised_port: int | None = None,
        extra: str = "",
    ) -> None:
        """Keep data under `home` and listen on loopback `port` (and the next one, for the controller).

        Clients are told `advertised_port`: a proxy's, say. `extra` are properties that win
        over ours.
        """
        self.home = home
        self.port = port
        self._advertised = advertised_port or port
        self._extra = extra
        self.version = re.search(r"<kafka\.version>(.*?)<", POM.read_text())[1]  # type: ignore[index]
        self._jars = (
            cache / f"kafka-{self.version}-{hashlib.sha256(POM.read_bytes()).hexdigest()[:8]}"
        )
        self.process = Process("kafka", home)

    @property
    def bootstrap_servers(self) -> str:
        """Where clients connect."""
        return f"127.0.0.1:{self.port}"

    def describe(self) -> str:
        """Say what it is."""
        return f"Apache Kafka {self.version} at {self.bootstrap_servers}"

    def running(self) -> bool:
        """Tell whether it accepts connections."""
        return self.process.running() and listening(self.port)

    def start(self, topics: dict[str, int]) -> bool:
        """Start it and create missing topics. Raises `PartFailed`."""
        started = not self.running()
        if started:
            self.process.kill()
            refuse_foreign("kafka", self.port, SETTING)
            self._fetch()
            properties = self._format()
            self.process.start(
                [
                    *JAVA,
                    f"-Dlog4j2.configurationFile={LOGGING}",
                    "-cp",
                    f"{self._jars}/*",
                    "kafka.Kafka",
                    str(properties),
                ],
                ready=lambda: listening(self.port),
                seconds=START_SECONDS,
                remedy="read the log; `make clean` starts over; KAFKA_BROKER=embedded does without Java",
            )
        settings = Settings().changed(
            kafka={
                "bootstrap_servers": self.bootstrap_servers,
                "request_timeout_ms": 20_000,
            }
        )
        try:
            topic_tools.ensure(settings, only=topics)
        except KafkaError as problem:
            raise PartFailed(
                "kafka",
                f"cannot create topics: {problem}",
                remedy="read the log and try again",
                log=self.process.log,
            ) from problem
        return started

    def stop(self) -> None:
        """Shut it down in order."""
        self.process.stop()

    def kill(self) -> None:
        """Crash it."""
        self.process.kill()

    def pause(self) -> None:
        """Freeze it: connections stay open, nothing answers."""
        self.process.pause()

    def resume(self) -> None:
        """Thaw it."""
        self.process.resume()

    def _fetch(self) -> None:
        if self._jars.exists():
            return
        self._jars.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._jars.parent) as temporary:
            folder = Path(temporary)
            shutil.copy(POM, folder / "pom.xml")
            command = [
                "mvn",
                "-q",
                "-B",
                "dependency:copy-dependencies",
                "-DincludeScope=runtime",
            ]
            try:
                subprocess.run(
                    [*command, f"-DoutputDirectory={folder / 'jars'}"],
                    cwd=folder,
                    check=True,
                    capture_output=True,
                    text=True,
                    timeout=MAVEN_SECONDS,
                )
            except (subprocess.SubprocessError, FileNotFoundError) as problem:
                said = str(getattr(problem, "stdout", "") or problem).strip().splitlines()
                raise PartFailed(
                    "kafka",
                    f"Maven could not fetch Apache Kafka {self.version}: {said[0] if said else problem}",
                    remedy="check Maven's network settings, or set KAFKA_BROKER=embedded",
                ) from None
            if not self._jars.exists():
                (folder / "jars").rename(self._jars)

    def _format(self) -> Path:
        """Write the configuration, and make the data directory the first time."""
        data = self.home / "data"
        properties = self.home / "server.properties"
        self.home.mkdir(parents=True, exist_ok=True)
        properties.write_text(
            PROPERTIES.format(
                port=self.port,
                advertised=self._advertised,
                controller=self.port + 1,
                data=data,
            )
            + self._extra
        )
        if not (data / "meta.properties").exists():
            shutil.rmtree(data, ignore_errors=True)
            made = subprocess.run(
                [
                    *JAVA,
                    "-cp",
                    f"{self._jars}/*",
                    "kafka.tools.StorageTool",
                    "format",
                    "-t",
                    CLUSTER_ID,
                    "-c",
                    properties,
                ],
                capture_output=True,
                text=True,
                timeout=START_SECONDS,
            )
            if made.returncode:
                raise PartFailed(
                    "kafka",
                    f"cannot format its storage: {made.stderr.strip()[-300:]}",
                    remedy="`make clean` starts over",
                )
        return properties


CLUSTER_ID = "YWV0aGVybGluay1sb2NhbA"
"""`aetherlink-local`, in base64 as Kafka writes ids."""
