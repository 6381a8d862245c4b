"""The CRM's tables for SQLAlchemy Core, derived from the models in the registry of entities.

The migrations create the tables; a test compares the two.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column, DateTime, Integer, MetaData, Table, Text, Uuid
from sqlalchemy.types import TypeEngine

from chalicelib.crm.entities import ENTITIES, EntityType
from chalicelib.crm.model import Entity

COLUMN_TYPES: Mapping[type, TypeEngine[Any]] = {
    UUID: Uuid(),
    str: Text(),
    StrEnum: Text(),
    int: BigInteger(),
    datetime: DateTime(timezone=True),
}

metadata = MetaData()


def _columns(kind: EntityType[Any]) -> Iterator[Column[Any]]:
    yield Column("tenant_id", Uuid, primary_key=True)
    yield Column("id", Uuid, primary_key=True)
    yield Column("version", Integer, nullable=False)
    yield Column("created_at", DateTime(timezone=True), nullable=False)
    yield Column("updated_at", DateTime(timezone=True), nullable=False)
    for name in kind.model.model_fields:
        if name not in Entity.model_fields:
            column_type = _column_type(kind.value_type(name))
            yield Column(name, column_type, nullable=kind.is_optional(name))


def _column_type(value_type: type) -> TypeEngine[Any]:
    if issubclass(value_type, StrEnum):
        return COLUMN_TYPES[StrEnum]
    return COLUMN_TYPES[value_type]


TABLES: Mapping[str, Table] = {
    kind.name: Table(kind.name, metadata, *_columns(kind)) for kind in ENTITIES
}
"""The table of each kind, by the kind's name."""
