"""What all services of the local stack share: process, port, health check, log, remedy."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from infra.local import debian
from infra.local.ports import LOOPBACK, listening, port_setting, require_free
from infra.local.process import Process
from infra.paths import CACHE

HEALTH_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """What is particular about one service.

    `name` is that of its pid file, its log and its port setting. It is healthy once a GET of
    `health_path` succeeds or, without one, once it accepts connections. `package` is the Debian
    package that has `program`, for a service that comes from one.

    `start_seconds` is generous for busy machines; a process that exits is noticed at once.
    """

    name: str
    label: str
    start_seconds: float = 60.0
    remedy: str = "read the log and try again"
    health_path: str = ""
    package: str = ""
    program: str = ""


class Service(ABC):
    """One process on a loopback port, which survives the command that started it."""

    spec: ServiceSpec

    def __init__(self, home: Path, port: int, cache: Path = CACHE) -> None:
        """Keep everything in `home`, listen on `port`, and keep downloaded programs in `cache`."""
        self.home = home
        self.port = port
        self.cache = cache
        self.process = Process(self.spec.name, home)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{self.address}"

    @property
    def address(self) -> str:
        """Where it listens, `host:port`."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports that it needs; none where it chooses one itself."""
        return (self.port,) if self.port else ()

    @property
    def port_setting(self) -> str:
        """The name of the setting that moves it to another port."""
        return port_setting(self.spec.name)

    def require_ports(self) -> None:
        """Raise `ServiceFailed` where it does not run and its ports are taken."""
        if self.process.running():
            return
        self.process.kill()  # a starter that was killed may have left it unrecorded
        for port in self.ports:
            require_free(self.spec.name, port, self.port_setting)

    def describe(self) -> str:
        """Return in a few words what it is and where."""
        return f"{self.spec.label} at {self.url}"

    def needs_download(self) -> bool:
        """Return whether the first start has to download the program."""
        return bool(self.spec.package) and not debian.available(
            self.spec.package, self.spec.program, self.cache
        )

    def running(self) -> bool:
        """Return whether our process lives and is healthy."""
        return self.process.running() and self.healthy()

    def start(self) -> bool:
        """Start it unless it is running; return whether it had to be started.

        Raises:
            ServiceFailed: a port is taken, or it exits, or it does not become healthy in time.
            Cancelled: the command that starts it was interrupted.
        """
        if self.running():
            return False
        self.process.kill()
        self.require_ports()
        self.launch()
        return True

    def launch(self) -> None:
        """Start the process, whatever runs already, and wait until it is healthy."""
        self.prepare()
        self.process.start(
            self.command(),
            ready=self.healthy,
            seconds=self.spec.start_seconds,
            remedy=self.spec.remedy,
            env=self.environment(),
        )

    def stop(self) -> None:
        """Shut it down; its data stays."""
        self.process.stop()

    def kill(self) -> None:
        """Crash it."""
        self.process.kill()

    def pause(self) -> None:
        """Freeze it: connections stay open, nothing answers."""
        self.process.pause()

    def resume(self) -> None:
        """Let it continue after `pause`."""
        self.process.resume()

    def program(self) -> str:
        """Return the path of its program, downloaded first where it is not installed."""
        return str(debian.program(self.spec.package, self.spec.program, self.cache))

    def healthy(self) -> bool:
        """Return whether it answers as a healthy one does; it need not be our process."""
        if not self.spec.health_path:
            return listening(self.port)
        connection = HTTPConnection(LOOPBACK, self.port, timeout=HEALTH_SECONDS)
        try:
            connection.request("GET", self.spec.health_path)
            return connection.getresponse().status < HTTPStatus.BAD_REQUEST
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    def prepare(self) -> None:
        """Make whatever has to be there before the process starts."""
        self.home.mkdir(parents=True, exist_ok=True)

    @abstractmethod
    def command(self) -> Sequence[str]:
        """Return the command line of the process."""

    def environment(self) -> Mapping[str, str]:
        """Return the environment variables that the process gets besides ours."""
        return {}
