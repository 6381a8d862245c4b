"""pg8000 with one round trip for each statement, and an error for a server that is down.

Stock pg8000 sends Parse, Describe and Bind/Execute in three round trips, and the same for
COMMIT. Here a statement and its parameters are sent in one flush, statements without
parameters use the simple protocol, and the tenant is set together with BEGIN. This uses
internals of pg8000, which is why pg8000 is pinned; the integration tests count the round
trips on the wire.
"""

import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote, urlsplit
from uuid import UUID

import pg8000.dbapi
from pg8000.converters import make_params
from pg8000.core import DESCRIBE, NULL_BYTE, SYNC_MSG, Context, _flush, _write
from pg8000.dbapi import convert_paramstyle

from chalicelib.config.database import DatabaseSettings
from chalicelib.security.secrets import Secret
from chalicelib.shared.errors import Misconfigured, Unavailable

BEGIN = "begin transaction"
"""The statement with which pg8000 itself begins a transaction."""

PORTAL = b"P"
SOCKET_MARGIN_SECONDS = 2.0
"""How much longer than a statement may run the socket waits.

The server then times out first, with a better message.
"""

LOGIN_REFUSED = "28"
TEMPORARY = ("08", "25", LOGIN_REFUSED, "40", "53", "55", "57", "58", "XX")
"""Classes of SQLSTATE that are about the state of the server, not about the statement."""

RDS_KEYS = ("username", "password", "host")
"""Keys that every database secret has which Secrets Manager rotates for RDS."""


class LoginRefused(Unavailable):
    """The server refuses this user and password: they are wrong, or have been changed."""


class Connection(pg8000.dbapi.Connection):  # type: ignore[misc] # pg8000 has no types
    """A connection whose transactions belong to `tenant`, if one is set."""

    tenant: UUID | None = None

    def cursor(self) -> "Cursor":
        """Return a cursor on this connection."""
        return Cursor(self)

    def execute_simple(self, statement: str) -> Context:
        """Run statements without parameters in one round trip; BEGIN also sets the tenant."""
        if statement == BEGIN and self.tenant is not None:
            statement = f"begin; select set_config('app.tenant', '{UUID(str(self.tenant))}', true)"
        return super().execute_simple(statement)

    def execute_unnamed(
        self, statement: str, vals: Any = (), oids: Any = (), stream: Any = None
    ) -> Context:
        """Run one statement with parameters in one round trip."""
        if stream is not None:
            return super().execute_unnamed(statement, vals=vals, oids=oids, stream=stream)
        context = Context(statement)
        self.send_PARSE(NULL_BYTE, statement, oids)
        self.send_BIND(NULL_BYTE, make_params(self.py_types, vals))
        self._send_message(DESCRIBE, PORTAL + NULL_BYTE)
        self.send_EXECUTE()
        _write(self._sock, SYNC_MSG)
        _flush(self._sock)
        self.handle_messages(context)
        return context

    def commit(self) -> None:
        """Commit the transaction in one round trip."""
        self.execute_simple("commit")

    def rollback(self) -> None:
        """Roll the transaction back, if there is one, in one round trip."""
        if self._in_transaction:
            self.execute_simple("rollback")


class Cursor(pg8000.dbapi.Cursor):  # type: ignore[misc] # pg8000 has no types
    """A cursor that numbers the placeholders of a statement once.

    Stock pg8000 scans the text each time it runs.
    """

    _input_oids: Any
    input_types: Any

    def execute(self, operation: str, args: Any = (), stream: Any = None) -> None:
        """Run a statement whose placeholders are `%s`."""
        if not args or stream is not None:
            super().execute(operation, args, stream)
            return
        if not self._c._in_transaction and not self._c.autocommit:
            self._c.execute_simple(BEGIN)
        self._context = self._c.execute_unnamed(
            _numbered(operation), vals=args, oids=self._input_oids
        )
        self._row_iter = None if self._context.rows is None else iter(self._context.rows)
        self._input_oids = ()
        self.input_types = []


@lru_cache(maxsize=256)
def _numbered(statement: str) -> str:
    return str(convert_paramstyle("format", statement, ())[0])


def log_in(url: Secret, settings: DatabaseSettings, *, name: str) -> Connection:
    """Open a connection to `url`; if the login is refused and the secret has changed, try again.

    Raises:
        The errors of `connect`.
    """
    try:
        return connect(url.value(), settings, name=name)
    except LoginRefused:
        if not url.renew():
            raise
    return connect(url.value(), settings, name=name)


def connect(url: str, settings: DatabaseSettings, *, name: str) -> Connection:
    """Open a connection to `url`, whose application name is `name`.

    Args:
        url: `postgresql://user:password@host:port/database`, or the JSON object that Secrets
            Manager keeps for RDS.
        settings: timeouts, and whether to use TLS.
        name: what PostgreSQL shows as the application name.

    Raises:
        errors.Misconfigured: the URL cannot be read.
        LoginRefused: the server refuses user and password.
        errors.Unavailable: no answer, or none in time.
    """
    parts = urlsplit(_from_rds(url) if url.startswith("{") else url)
    if parts.scheme != "postgresql" or not parts.hostname or not parts.username:
        raise Misconfigured(
            "DATABASE_URL must have the form postgresql://user:password@host:port/database."
        )
    with translate_errors():
        connection = Connection(
            unquote(parts.username),
            host=parts.hostname,
            port=parts.port or 5432,
            database=parts.path.lstrip("/") or "postgres",
            password=unquote(parts.password or ""),
            timeout=settings.connect_timeout_seconds,
            ssl_context=ssl.create_default_context() if settings.tls else False,
            application_name=name,
            startup_params={
                "TimeZone": "UTC",
                "statement_timeout": str(settings.statement_timeout_ms),
                "idle_in_transaction_session_timeout": str(settings.statement_timeout_ms),
            },
        )
        connection._usock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection._usock.settimeout(settings.statement_timeout_ms / 1_000 + SOCKET_MARGIN_SECONDS)
    return connection


def _from_rds(text: str) -> str:
    try:
        secret = json.loads(text)
        user, password, host = (quote(str(secret[key]), safe="") for key in RDS_KEYS)
        port = secret.get("port", 5432)
        database = secret.get("dbname", "postgres")
    except (ValueError, TypeError, KeyError):
        return ""
    return f"postgresql://{user}:{password}@{host}:{port}/{database}"


def sqlstate(error: BaseException) -> str:
    """Return the SQLSTATE of the server's answer, or an empty string."""
    details = error.args[0] if error.args else None
    return str(details.get("C", "")) if isinstance(details, dict) else ""


def constraint(error: BaseException) -> str:
    """Return the constraint that the server names, or an empty string."""
    details = error.args[0] if error.args else None
    return str(details.get("n", "")) if isinstance(details, dict) else ""


def is_temporary(error: BaseException) -> bool:
    """Return whether the server or the network is to blame, so that a retry may succeed."""
    if isinstance(error, pg8000.dbapi.InterfaceError | OSError | EOFError):
        return True
    return isinstance(error, pg8000.dbapi.DatabaseError) and sqlstate(error)[:2] in TEMPORARY


@contextmanager
def translate_errors() -> Iterator[None]:
    """Turn failures of the server or the network into `errors.Unavailable`."""
    try:
        yield
    except (pg8000.dbapi.Error, OSError, EOFError) as error:
        if is_temporary(error):
            raise unavailable(error) from error
        raise


def unavailable(error: BaseException) -> Unavailable:
    """Return the error for the caller; its cause is logged, and not part of the answer."""
    state = sqlstate(error)
    error_type = LoginRefused if state.startswith(LOGIN_REFUSED) else Unavailable
    return error_type(
        "The database cannot be reached. Try again soon.",
        code="database-unavailable",
        headers={"Retry-After": "2"},
        cause=f"{type(error).__name__} {state}".strip(),
    )
