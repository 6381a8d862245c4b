"""Whether PostgreSQL answers and has the schema."""

from dataclasses import replace

from chalicelib.adapters.postgres import driver
from chalicelib.config.database import DatabaseSettings
from chalicelib.security.secrets import Secret

PROBE_SECONDS = 1.5


def probe(url: Secret, settings: DatabaseSettings) -> None:
    """Connect to `url` as the API role and read from a table.

    Raises:
        Exception: anything that keeps the API from working.
    """
    probe_ms = int(PROBE_SECONDS * 1_000)
    limited = replace(
        settings,
        connect_timeout_seconds=min(PROBE_SECONDS, settings.connect_timeout_seconds),
        statement_timeout_ms=min(probe_ms, settings.statement_timeout_ms),
    )
    with driver.log_in(url, limited, name="aetherlink-health") as connection:
        connection.execute_simple("SELECT FROM account LIMIT 0")
