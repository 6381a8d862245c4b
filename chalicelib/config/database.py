"""Settings of PostgreSQL."""

from dataclasses import dataclass

from chalicelib.shared.setting import boolean, number, secret, setting


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """Where PostgreSQL is, and how long to wait for it."""

    url: str = secret(
        "DATABASE_URL",
        "PostgreSQL as the API role: `postgresql://user:password@host:port/database`.",
    )
    relay_url: str = secret(
        "RELAY_DATABASE_URL",
        "PostgreSQL as the relay role; the relay and the outbox endpoints use it.",
    )
    connect_timeout_seconds: float = setting(
        "DATABASE_CONNECT_TIMEOUT_SECONDS",
        3.0,
        "Longest wait for a database connection.",
        number(float, 0.1, 30),
    )
    statement_timeout_ms: int = setting(
        "DATABASE_STATEMENT_TIMEOUT_MS",
        10_000,
        "Longest a statement may run.",
        number(int, 100, 300_000),
    )
    tls: bool = setting(
        "DATABASE_TLS",
        False,
        "Connect to PostgreSQL over TLS with a verified certificate.",
        boolean,
    )
