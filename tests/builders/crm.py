"""Objects for tests, valid unless told otherwise."""

from typing import Any
from uuid import UUID, uuid4

from chalicelib.crm.model import Account, Contact, Job
from chalicelib.shared.ids import uuid7
from tests.fakes.clock import START


def _common(tenant_id: UUID | None) -> dict[str, Any]:
    return {
        "id": uuid7(),
        "tenant_id": tenant_id or uuid4(),
        "version": 1,
        "created_at": START,
        "updated_at": START,
    }


def account(tenant_id: UUID | None = None, **values: Any) -> Account:
    return Account(**{**_common(tenant_id), "name": "Northwind", **values})


def contact(tenant_id: UUID | None = None, **values: Any) -> Contact:
    return Contact(**{**_common(tenant_id), "name": "Ada", **values})


def job(tenant_id: UUID | None = None, **values: Any) -> Job:
    return Job(
        **{
            **_common(tenant_id),
            "account_id": uuid4(),
            "title": "Replace the meter",
            **values,
        }
    )
