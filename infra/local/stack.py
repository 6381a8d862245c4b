"""The whole system on one machine: starts what is missing, repairs what died, keeps the data.

What only `up` needs (building, deploying, migrating) is imported by it, so that `status`, `logs`
and `token` answer at once.
"""

import fcntl
import secrets
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from infra.aws import secrets as secret_names
from infra.local import isolation, kafka, preflight
from infra.local.emulator import Emulator
from infra.local.healing import Healing
from infra.local.issuer import Issuer
from infra.local.ports import SERVICES, Ports
from infra.local.progress import Progress
from infra.local.service import Service
from infra.paths import CACHE

if TYPE_CHECKING:
    from infra.local.postgres import Postgres

STAGE = "local"
CURSOR_SECRET_BYTES = 32


class Runnable(Protocol):
    """What the stack needs of a service."""

    @property
    def address(self) -> str:
        """Where it answers, for people."""
        ...

    def running(self) -> bool:
        """Return whether it runs and answers."""
        ...

    def stop(self) -> None:
        """Shut it down."""
        ...


class Stack:
    """PostgreSQL, Kafka, AWS emulator, token issuer, monitoring, and the product on them."""

    def __init__(
        self,
        home: Path,
        ports: Ports,
        *,
        say: Callable[[str], None] = lambda _: None,
        broker: str | None = None,
        fast: bool = False,
    ) -> None:
        """Keep everything under `home`.

        Args:
            home: a folder, which is made.
            ports: where the services listen.
            say: takes a line about each step.
            broker: the kind of Kafka broker; by default the one in use, or the best there is.
            fast: data need not survive a crash of the machine.
        """
        isolation.isolate()
        self.home = home
        self.ports = ports
        self.progress = Progress(say)
        self.fast = fast
        self.kafka = kafka.choose(home / "kafka", ports.kafka, CACHE, broker)
        self.emulator = Emulator(home / "emulator", ports.emulator)
        self.issuer = Issuer(home / "issuer", ports.issuer)
        self.healing = Healing(home, ports)

    @property
    def postgres(self) -> "Postgres":
        """The database server."""
        from infra.local.postgres import Postgres

        return Postgres(self.home / "postgres", self.ports.postgres, fast=self.fast)

    def services(self) -> dict[str, Runnable]:
        """Return the services by name, in the order in which they start."""
        services: dict[str, Runnable] = {
            "postgres": self.postgres,
            "kafka": self.kafka,
            "services": self.healing.services,
            "ssm": self.healing.ssm,
            "emulator": self.emulator,
            "issuer": self.issuer,
            **self.healing.monitoring,
        }
        return {name: services[name] for name in SERVICES}

    def up(self) -> str:
        """Bring everything up, whatever state it is in; return the API's URL.

        A second `up` at the same time waits for the first.

        Raises:
            ServiceFailed: names the service, its log and the remedy.
        """
        from infra.local.deployment import deploy

        with self._lock(), ThreadPoolExecutor() as pool:
            preflight.require_ports(self._all_services())
            environment = pool.submit(self._start_emulator)
            machines = pool.submit(self._start_machines)
            self._start_data()
            environment.result()
            machines.result()
            self._store_secrets()
            api_url = deploy(
                self.emulator,
                self.deployed_environment(),
                folder=self.home / "package",
                stage=STAGE,
                progress=self.progress,
            )
            self.healing.start_monitoring(api_url, self.progress)
            return api_url

    def up_data(self) -> None:
        """Bring up PostgreSQL and Kafka, with schema, roles and topics, and the issuer.

        Raises:
            ServiceFailed: names the service, its log and the remedy.
        """
        with self._lock():
            own = (self.postgres, self.kafka, self.issuer)
            preflight.require_ports(service for service in own if isinstance(service, Service))
            self._start_data()

    def down(self) -> None:
        """Stop every service; data stays."""
        stores = ("postgres", "kafka")
        with self._lock():
            services = self.services()
            self._stop({name: services[name] for name in services if name not in stores})
            self._stop({name: services[name] for name in stores})
            kafka.forget(self.home / "kafka")

    def status(self) -> dict[str, Any]:
        """Return each service's state and address, and where the API is.

        Monitoring that was never started is left out.
        """
        deployed = self.emulator.deployed()
        services = self.services()
        for name, service in self.healing.monitoring.items():
            if not service.process.log.exists():
                del services[name]
        with ThreadPoolExecutor() as pool:
            running = dict(zip(services, pool.map(_running, services.values()), strict=True))
        states: dict[str, dict[str, Any]] = {
            name: {"running": running[name], "address": service.address}
            for name, service in services.items()
        }
        states["kafka"]["kind"] = self.kafka.kind
        return {"parts": states, "deployed": bool(deployed), "api": deployed.get("api_url")}

    def _all_services(self) -> list[Service]:
        """Return the services that are processes of ours, each demo service among them."""
        demo_services = self.healing.services
        return [
            *(service for service in self.services().values() if isinstance(service, Service)),
            *(demo_services.service(name) for name in demo_services.ports),
        ]

    def logs(self) -> dict[str, Path]:
        """Return the log file of each service that has one."""
        logs = {
            name: service.process.log
            for name, service in self.services().items()
            if isinstance(service, Service)
        }
        return {name: log for name, log in logs.items() if log.exists()}

    def environment(self) -> Mapping[str, str]:
        """Return the settings of a process on this machine, including secrets."""
        return {**self._settings(), **self._secrets()}

    def deployed_environment(self) -> Mapping[str, str]:
        """Return the functions' settings, which refer to the secrets in Secrets Manager."""
        return {**self._settings(), **secret_names.references(self._secrets(), STAGE)}

    def secret_settings(self) -> list[str]:
        """Return the names of the settings that are secret."""
        return list(self._secrets())

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Hold the stack's lock; wait for another process that works on the same stack.

        Raises:
            ServiceFailed: the stack's folder cannot be used.
        """
        preflight.require_storage(self.home)
        with (self.home / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self.progress.say("· waiting for another command that works on this stack")
                fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _start_data(self) -> None:
        from infra.local import data

        with ThreadPoolExecutor() as pool:
            starts = (
                pool.submit(data.start_postgres, self.postgres, self.progress),
                pool.submit(data.start_kafka, self.kafka, self.progress),
                pool.submit(self.progress.start, self.issuer, self.issuer.start),
            )
            for start in starts:
                start.result()
        kafka.remember(self.home / "kafka", self.kafka)

    def _stop(self, services: Mapping[str, Runnable]) -> None:
        """Stop `services`, all at the same time."""

        def stop(name: str) -> None:
            was_running = services[name].running()
            services[name].stop()
            state = "✓ {} stopped" if was_running else "· {} was not running"
            self.progress.say(state.format(name))

        with ThreadPoolExecutor() as pool:
            list(pool.map(stop, services))  # raises what one of them raised

    def _start_emulator(self) -> None:
        self.progress.start(self.emulator, self.emulator.start)

    def _start_machines(self) -> None:
        """Start the demo services, and the Systems Manager with a machine for each."""
        self.progress.start(self.healing.services, self.healing.services.start)
        self.progress.start(self.healing.ssm, self.healing.ssm.start)

    def _store_secrets(self) -> None:
        self.emulator.store_secrets(
            {secret_names.name(setting, STAGE): text for setting, text in self._secrets().items()}
        )

    def _settings(self) -> dict[str, str]:
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka.bootstrap_servers,
            "KAFKA_API_VERSION": self.kafka.api_version,
            **self.issuer.settings(),
            **self.healing.settings(),
        }

    def _secrets(self) -> dict[str, str]:
        from infra.local.postgres import write_secret

        file = self.home / "cursor-secret"
        if not file.exists():
            write_secret(file, secrets.token_urlsafe(CURSOR_SECRET_BYTES))
        return {
            "CURSOR_SECRET": file.read_text(),
            "DATABASE_URL": self.postgres.database_url("aetherlink_api"),
            "RELAY_DATABASE_URL": self.postgres.database_url("aetherlink_relay"),
            **self.healing.secrets(),
        }


def _running(service: Runnable) -> bool:
    return service.running()
