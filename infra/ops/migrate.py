"""Migrates a database, and sets the passwords of its roles."""

from collections.abc import Mapping
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from chalicelib.adapters.postgres import driver
from chalicelib.config import Settings
from chalicelib.config.database import DatabaseSettings

SCRIPTS = Path(__file__).resolve().parent.parent / "migrations"
MIGRATION_TIMEOUT_MS = 300_000
LOGIN_ROLES = ("aetherlink_api", "aetherlink_relay")


def upgrade(owner_url: str, *, shards: int | None = None) -> None:
    """Run the missing migrations, and add missing shards of the outbox.

    Two processes may do so at once: the second waits for the first.

    Args:
        owner_url: URL of the database, with its owner's user.
        shards: how many shards the outbox should have; by default, what the settings say.

    Raises:
        errors.Unavailable: the database cannot be reached.
    """
    settings = DatabaseSettings(statement_timeout_ms=MIGRATION_TIMEOUT_MS)
    # Connecting first gives a clear error, where Alembic's would be a long traceback.
    driver.connect(owner_url, settings, name="aetherlink-migrate").close()
    engine = create_engine(
        "postgresql+pg8000://",
        creator=lambda: driver.connect(owner_url, settings, name="aetherlink-migrate"),
        poolclass=NullPool,
    )
    config = Config(attributes={"connection": engine})
    config.set_main_option("script_location", str(SCRIPTS))
    with driver.connect(owner_url, settings, name="aetherlink-migrate") as lock:
        lock.execute_simple("SELECT pg_advisory_lock(hashtext('aetherlink_migrate'))")
        command.upgrade(config, "head")
        lock.execute_unnamed(
            "SELECT outbox_ensure_shards($1::int)", (shards or Settings().outbox.shards,)
        )


def set_passwords(owner_url: str, passwords: Mapping[str, str]) -> None:
    """Set the passwords of roles, and let the roles log in.

    Raises:
        ValueError: `passwords` has a role that is not one of `LOGIN_ROLES`.
    """
    unknown = set(passwords) - set(LOGIN_ROLES)
    if unknown:
        raise ValueError(
            f"no such roles: {', '.join(sorted(unknown))}; there are {', '.join(LOGIN_ROLES)}"
        )
    with driver.connect(owner_url, DatabaseSettings(), name="aetherlink-migrate") as connection:
        for role, password in passwords.items():
            quoted = password.replace("'", "''")
            connection.execute_simple(f"ALTER ROLE {role} LOGIN PASSWORD '{quoted}'")
