"""The CRM's tables as SQLAlchemy Core knows them. The migrations make them; a test compares the two."""

from sqlalchemy import BigInteger, Column, DateTime, Integer, MetaData, Table, Text, Uuid

metadata = MetaData()


def _common() -> tuple[Column[object], ...]:
    return (
        Column("tenant_id", Uuid, primary_key=True),
        Column("id", Uuid, primary_key=True),
        Column("version", Integer, nullable=False),
        Column("created_at", DateTime(timezone=True), nullable=False),
        Column("updated_at", DateTime(timezone=True), nullable=False),
    )


accounts = Table(
    "account",
    metadata,
    *_common(),
    Column("name", Text, nullable=False),
    Column("industry", Text),
    Column("website", Text),
    Column("phone", Text),
)

contacts = Table(
    "contact",
    metadata,
    *_common(),
    Column("account_id", Uuid),
    Column("name", Text, nullable=False),
    Column("email", Text),
    Column("phone", Text),
    Column("title", Text),
)

jobs = Table(
    "job",
    metadata,
    *_common(),
    Column("account_id", Uuid, nullable=False),
    Column("contact_id", Uuid),
    Column("title", Text, nullable=False),
    Column("description", Text),
    Column("status", Text, nullable=False),
    Column("scheduled_for", DateTime(timezone=True)),
    Column("amount_cents", BigInteger),
    Column("currency", Text, nullable=False),
)
