"""The stack's database and topics, brought to what the code needs."""

from chalicelib.config import Settings
from infra.local.kafka import Broker
from infra.local.postgres import Postgres
from infra.local.progress import Progress
from infra.ops import migrate, topics


def start_kafka(broker: Broker, progress: Progress) -> None:
    """Start the broker with the product's topics. Raises `ServiceFailed`."""
    needed = topics.wanted(Settings())
    progress.start(broker, lambda: broker.start(needed))


def start_postgres(server: Postgres, progress: Progress) -> None:
    """Start the server and migrate the product's database. Raises `ServiceFailed`."""
    progress.start(server, server.start)
    with progress.step("migrating the database", "database migrated"):
        migrate_database(server)


def migrate_database(server: Postgres) -> None:
    """Create the product's database where it is missing, with schema, roles and passwords."""
    server.create_database()
    migrate.upgrade(server.database_url())
    passwords = server.passwords()
    login_passwords = {role: passwords[role] for role in migrate.LOGIN_ROLES}
    migrate.set_passwords(server.database_url(), login_passwords)
