"""The whole system on one machine: starts what is missing, repairs what died, keeps the data."""

import fcntl
import hashlib
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from chalicelib.config import Settings
from infra.aws import secrets as secret_names
from infra.aws.package import ROOT, build
from infra.aws.steps import PackagingFailed
from infra.local import isolation, kafka
from infra.local.emulator import Emulator
from infra.local.healing import Healing
from infra.local.issuer import Issuer
from infra.local.postgres import Postgres, write_secret
from infra.local.process import PartFailed, free_port
from infra.ops import migrate, topics

INPUTS = ("app.py", "chalicelib", ".chalice", "requirements.txt", "infra/aws")
HIGHEST_PORT = 65_535  # Kafka takes the next one too
STAGE = "local"
PARTS = (
    "postgres",
    "kafka",
    "services",
    "ssm",
    "emulator",
    "issuer",
    "alertmanager",
    "pushgateway",
    "blackbox",
    "prometheus",
)


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the parts listen, on loopback. Kafka's controller and the second demo service take the next port."""

    postgres: int = 54329
    kafka: int = 19092
    services: int = 18081
    ssm: int = 4567
    emulator: int = 4566
    issuer: int = 9400
    alertmanager: int = 19094
    pushgateway: int = 19091
    blackbox: int = 19115
    prometheus: int = 19090

    @classmethod
    def from_env(cls) -> "Ports":
        """Read AETHERLINK_POSTGRES_PORT and its like, one a part, or take the defaults."""
        return cls(*(_port(part, f"AETHERLINK_{part.upper()}_PORT") for part in PARTS))

    @classmethod
    def free(cls) -> "Ports":
        """Return ports that nothing uses just now."""
        return cls(*(free_port() for _ in PARTS))


def _port(part: str, setting: str) -> int:
    text = os.environ.get(setting) or str(getattr(Ports(), part))
    if not (text.isdecimal() and 0 < int(text) < HIGHEST_PORT):
        raise PartFailed(
            part,
            f"{setting}={text} is no port",
            remedy=f"set it to 1 up to {HIGHEST_PORT - 1}",
        )
    return int(text)


class Stack:
    """PostgreSQL, Kafka, the AWS emulator, an issuer of tokens, and the product deployed on them."""

    def __init__(
        self,
        home: Path,
        ports: Ports,
        *,
        say: Callable[[str], None] = lambda _: None,
        broker: str | None = None,
        fast: bool = False,
    ) -> None:
        """Keep everything under `home`; tell progress to `say`; `fast` survives no crash of the machine."""
        isolation.isolate()
        self.home = home
        self.ports = ports
        self._say = say
        self.postgres = Postgres(home / "postgres", ports.postgres, fast=fast)
        self.kafka = kafka.choose(home / "kafka", ports.kafka, ROOT / ".local" / "cache", broker)
        self.emulator = Emulator(home / "emulator", ports.emulator)
        self.issuer = Issuer(home / "issuer", ports.issuer)
        self.healing = Healing(home, asdict(ports))

    def up(self) -> str:
        """Bring everything up, whatever state it is in; return the API's URL. Two at once: one after the other.

        Raises:
            PartFailed: names the part, its log and the remedy.
        """
        with self._alone():
            return self._up()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the stack's lock; another process that works on the same stack is waited for."""
        self.home.mkdir(parents=True, exist_ok=True)
        with (self.home / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._say("· another command works on this stack: waiting for it")
                fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _up(self) -> str:
        self._start_data()
        self._timed(
            f"demo services and Systems Manager at {self.healing.ssm.url}",
            self.healing.start,
        )
        self._timed(f"AWS emulator at {self.emulator.url}", self.emulator.start)
        self.emulator.keep(
            {secret_names.name(one, STAGE): text for one, text in self._secrets().items()}
        )
        url = self._deploy()
        self.healing.watch(url, self._say)
        return url

    def _deploy(self) -> str:
        key = self._key()
        deployed = self.emulator.deployed()
        if deployed.get("key") == key:
            self._say("✓ the functions are deployed and unchanged")
            return deployed["api_url"]
        try:
            self._say("· building the package")
            started = time.monotonic()
            environment = self.deployed_environment()
            app = build(
                self.home / "package",
                stage=STAGE,
                environment=environment,
                progress=self._note,
            )
            megabytes = app.bundle.stat().st_size / 1e6
            self._say(f"✓ package built: {megabytes:.1f} MB ({time.monotonic() - started:.1f} s)")
        except PackagingFailed as problem:
            raise PartFailed(
                "package", str(problem), remedy="`make clean`, then `make up`"
            ) from problem
        self._say("· deploying through CloudFormation")
        started = time.monotonic()
        url = self.emulator.deploy(app, key=key)
        self._say(f"✓ functions deployed, the API answers ({time.monotonic() - started:.1f} s)")
        return url

    def up_data(self) -> None:
        """Bring up PostgreSQL and Kafka, with schema, roles and topics, and the issuer; no emulator."""
        with self._alone():
            self._start_data()

    def _start_data(self) -> None:
        wanted = topics.wanted(Settings())
        with ThreadPoolExecutor(max_workers=3) as pool:
            broker = pool.submit(self._timed, self.kafka.describe, lambda: self.kafka.start(wanted))
            database = pool.submit(self._start_postgres)
            issuer = pool.submit(
                self._timed, f"OIDC issuer at {self.issuer.url}", self.issuer.start
            )
            for part in (database, broker, issuer):
                part.result()
        kafka.remember(self.home / "kafka", self.kafka)

    def down(self) -> None:
        """Stop every part; data stays."""
        with self._alone():
            for name in reversed(PARTS):
                part = self._parts()[name]
                was = part.running()
                part.stop()
                self._say(f"✓ {name} stopped" if was else f"· {name} was not running")
            kafka.forget(self.home / "kafka")

    def status(self) -> dict[str, Any]:
        """Return each part's state and address, and where the API is."""
        deployed = self.emulator.deployed()
        return {
            "parts": {
                "postgres": {
                    "running": self.postgres.running(),
                    "address": f"127.0.0.1:{self.ports.postgres}",
                },
                "kafka": {
                    "running": self.kafka.running(),
                    "address": self.kafka.bootstrap_servers,
                    "kind": self.kafka.kind,
                },
                "emulator": {
                    "running": self.emulator.running(),
                    "address": self.emulator.url,
                },
                "issuer": {"running": self.issuer.running(), "address": self.issuer.url},
                **self.healing.status(),
            },
            "deployed": bool(deployed),
            "api": deployed.get("api_url"),
        }

    def logs(self) -> dict[str, Path]:
        """Return each part's log file, of those that there are."""
        found = {name: getattr(part, "process", None) for name, part in self._parts().items()}
        return {
            name: process.log for name, process in found.items() if process and process.log.exists()
        }

    def environment(self) -> Mapping[str, str]:
        """Return the settings of a process on this machine, secrets and all."""
        return {**self._addresses(), **self._secrets()}

    def deployed_environment(self) -> Mapping[str, str]:
        """Return the functions' settings: they refer to the secrets, which the emulator's Secrets Manager keeps."""
        return {**self._addresses(), **secret_names.references(self._secrets(), STAGE)}

    def secret_settings(self) -> list[str]:
        """Return the names of the settings that are secret."""
        return list(self._secrets())

    def _addresses(self) -> dict[str, str]:
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka.bootstrap_servers,
            "KAFKA_API_VERSION": self.kafka.api_version,
            **self.issuer.environment(),
            **self.healing.environment(),
        }

    def _secrets(self) -> dict[str, str]:
        file = self.home / "cursor-secret"
        if not file.exists():
            write_secret(file, secrets.token_urlsafe(32))
        return {
            "CURSOR_SECRET": file.read_text(),
            "DATABASE_URL": self.postgres.url("aetherlink_api"),
            "RELAY_DATABASE_URL": self.postgres.url("aetherlink_relay"),
            **self.healing.secrets(),
        }

    def _parts(self) -> dict[str, Any]:
        core = ("postgres", "kafka", "emulator", "issuer")
        return {**{name: getattr(self, name) for name in core}, **self.healing.parts()}

    def _start_postgres(self) -> None:
        self._timed(
            f"PostgreSQL {self.postgres.version} at 127.0.0.1:{self.ports.postgres}",
            self.postgres.start,
        )
        started = time.monotonic()
        self.postgres.create_database()
        migrate.upgrade(self.postgres.url())
        passwords = self.postgres.passwords()
        migrate.set_passwords(
            self.postgres.url(), {role: passwords[role] for role in migrate.LOGIN_ROLES}
        )
        self._say(f"✓ database migrated ({time.monotonic() - started:.1f} s)")

    def _timed(self, what: str | Callable[[], str], start: Callable[[], bool]) -> None:
        started = time.monotonic()
        fresh = start()
        label = what if isinstance(what, str) else what()
        self._say(
            f"✓ {label} ({f'{time.monotonic() - started:.1f} s' if fresh else 'was running'})"
        )

    def _note(self, line: str) -> None:
        self._say(f"·   {line}")

    def _key(self) -> str:
        """Stand for everything that goes into a deployment: sources, lock file, settings."""
        digest = hashlib.sha256(json.dumps(dict(self.deployed_environment())).encode())
        for name in INPUTS:
            start = ROOT / name
            files = [start] if start.is_file() else sorted(start.rglob("*"))
            for file in files:
                if file.is_file() and "__pycache__" not in file.parts and file.suffix != ".pyc":
                    digest.update(str(file.relative_to(ROOT)).encode() + file.read_bytes())
        return digest.hexdigest()
