"""Whether PostgreSQL answers, and the schema is there."""

from dataclasses import replace

from chalicelib.adapters.postgres import driver
from chalicelib.config import Settings
from chalicelib.credentials import Secret

PROBE_SECONDS = 1.5


def probe(url: Secret, settings: Settings) -> None:
    """Connect to `url` as the API role and look at a table; raises when that does not work."""
    limited = replace(
        settings,
        database_connect_timeout_seconds=min(PROBE_SECONDS, settings.database_connect_timeout_seconds),
        database_statement_timeout_ms=min(int(PROBE_SECONDS * 1_000), settings.database_statement_timeout_ms),
    )
    with driver.log_in(url, limited, name="aetherlink-health") as connection:
        connection.execute_simple("SELECT FROM account LIMIT 0")
