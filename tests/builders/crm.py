"""Entities for tests: valid, except where a test says otherwise."""

from typing import Any, TypeVar
from uuid import UUID, uuid4

from chalicelib.crm.model import Account, Contact, Entity, Job
from chalicelib.shared.ids import uuid7
from tests.fakes.clock import START

E = TypeVar("E", bound=Entity)


def _entity(model: type[E], tenant_id: UUID | None, values: dict[str, Any]) -> E:
    """Return an entity; fields that `values` does not have are None, or the model's defaults."""
    required = [name for name, field in model.model_fields.items() if field.is_required()]
    common = {
        "id": uuid7(),
        "tenant_id": tenant_id or uuid4(),
        "version": 1,
        "created_at": START,
        "updated_at": START,
    }
    return model(**{**dict.fromkeys(required), **common, **values})


def account(tenant_id: UUID | None = None, **values: Any) -> Account:
    return _entity(Account, tenant_id, {"name": "Northwind", **values})


def contact(tenant_id: UUID | None = None, **values: Any) -> Contact:
    return _entity(Contact, tenant_id, {"name": "Ada", **values})


def job(tenant_id: UUID | None = None, **values: Any) -> Job:
    return _entity(Job, tenant_id, {"account_id": uuid4(), "title": "Replace the meter", **values})
