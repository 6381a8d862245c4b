"""Apache Kafka in KRaft mode, one node, from its Maven artifacts. Data survives crashes."""

import hashlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from infra.local.errors import ServiceFailed
from infra.local.service import Service, ServiceSpec
from infra.paths import CACHE

POM = Path(__file__).with_name("pom.xml")
LOGGING = Path(__file__).with_name("log4j2.properties")
MAVEN_SECONDS = 240
FORMAT_SECONDS = 120
MAX_ERROR_LENGTH = 300
CLUSTER_ID = "YWV0aGVybGluay1sb2NhbA"
"""`aetherlink-local`, in base64 as Kafka writes ids."""
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


class ApacheKafka(Service):
    """One broker, with its controller on the next port. Its jars are in `cache`."""

    spec = ServiceSpec(
        name="kafka",
        label="Apache Kafka",
        start_seconds=120.0,
        remedy="read the log; `make clean` starts over; KAFKA_BROKER=embedded does without Java",
    )
    kind = "apache"
    api_version = ""

    def __init__(
        self,
        home: Path,
        port: int,
        cache: Path = CACHE,
        *,
        advertised_port: int | None = None,
        extra: str = "",
    ) -> None:
        """Keep data under `home` and listen on loopback `port`.

        Clients are sent to `advertised_port`, a proxy's for example. `extra` are properties that
        win over ours.
        """
        super().__init__(home, port, cache)
        self._advertised = advertised_port or port
        self._extra = extra
        [self.version] = re.findall(r"<kafka\.version>(.*?)<", POM.read_text())
        digest = hashlib.sha256(POM.read_bytes()).hexdigest()[:8]
        self._jars = cache / f"kafka-{self.version}-{digest}"

    @property
    def ports(self) -> tuple[int, ...]:
        """The broker's port and its controller's."""
        return (self.port, self.port + 1)

    @property
    def bootstrap_servers(self) -> str:
        """Where clients connect."""
        return self.address

    def describe(self) -> str:
        """Return version and address."""
        return f"Apache Kafka {self.version} at {self.address}"

    def needs_download(self) -> bool:
        """Return whether Maven has to fetch the jars first."""
        return not self._jars.exists()

    def start(self, topics: Mapping[str, int] | None = None) -> bool:
        """Start it and create missing `topics` (name -> partitions).

        Return whether it had to be started. Raises `ServiceFailed`.
        """
        started = super().start()
        if topics:
            self._create(topics)
        return started

    def prepare(self) -> None:
        """Fetch the jars, write the configuration, and format the data directory once."""
        super().prepare()
        self._fetch()
        self._properties.write_text(
            PROPERTIES.format(
                port=self.port,
                advertised=self._advertised,
                controller=self.port + 1,
                data=self._data,
            )
            + self._extra
        )
        if not (self._data / "meta.properties").exists():
            shutil.rmtree(self._data, ignore_errors=True)
            self._format()

    def command(self) -> Sequence[str]:
        """Return the command."""
        return [
            *JAVA,
            f"-Dlog4j2.configurationFile={LOGGING}",
            "-cp",
            f"{self._jars}/*",
            "kafka.Kafka",
            str(self._properties),
        ]

    @property
    def _data(self) -> Path:
        return self.home / "data"

    @property
    def _properties(self) -> Path:
        return self.home / "server.properties"

    def _create(self, topics: Mapping[str, int]) -> None:
        from kafka.errors import KafkaError

        from chalicelib.config import Settings
        from infra.ops import topics as topic_tools

        kafka = {"bootstrap_servers": self.bootstrap_servers, "request_timeout_ms": 20_000}
        try:
            topic_tools.ensure(Settings().changed(kafka=kafka), only=dict(topics))
        except KafkaError as error:
            raise ServiceFailed(
                "kafka",
                f"cannot create topics: {error}",
                remedy="read the log and try again",
                log=self.process.log,
            ) from error

    def _fetch(self) -> None:
        if self._jars.exists():
            return
        self._jars.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._jars.parent) as temporary:
            folder = Path(temporary)
            shutil.copy(POM, folder / "pom.xml")
            self._run_maven(folder)
            if not self._jars.exists():
                (folder / "jars").rename(self._jars)

    def _run_maven(self, folder: Path) -> None:
        """Let Maven put the jars into `folder`/jars."""
        command = ["mvn", "-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime"]
        try:
            subprocess.run(
                [*command, f"-DoutputDirectory={folder / 'jars'}"],
                cwd=folder,
                check=True,
                capture_output=True,
                text=True,
                timeout=MAVEN_SECONDS,
            )
        except (subprocess.SubprocessError, OSError) as error:
            text = str(getattr(error, "stdout", "") or getattr(error, "stderr", "") or error)
            reason = next(iter(text.strip().splitlines()), type(error).__name__)
            raise self._not_fetched(reason) from None
        if not (folder / "jars").exists():
            raise self._not_fetched("it ended well, but left no files")

    def _not_fetched(self, reason: str) -> ServiceFailed:
        return ServiceFailed(
            "kafka",
            f"Maven could not fetch Apache Kafka {self.version}: {reason[:MAX_ERROR_LENGTH]}",
            remedy="mend Maven, or set KAFKA_BROKER=embedded to do without it",
        )

    def _format(self) -> None:
        command = [
            *JAVA,
            "-cp",
            f"{self._jars}/*",
            "kafka.tools.StorageTool",
            "format",
            "-t",
            CLUSTER_ID,
            "-c",
            str(self._properties),
        ]
        try:
            subprocess.run(
                command, capture_output=True, text=True, timeout=FORMAT_SECONDS, check=True
            )
        except (subprocess.SubprocessError, OSError) as error:
            reason = str(getattr(error, "stderr", "") or error).strip()[-MAX_ERROR_LENGTH:]
            raise ServiceFailed(
                "kafka", f"cannot format its storage: {reason}", remedy=self.spec.remedy
            ) from None
