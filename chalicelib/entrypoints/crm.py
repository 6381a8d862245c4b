"""What the CRM's endpoints share: a unit of work for the caller, and their answers."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from chalicelib.bootstrap import container
from chalicelib.crm import use_cases
from chalicelib.crm.model import Account, Contact, Entity, Job
from chalicelib.crm.ports import Repository, UnitOfWork
from chalicelib.entrypoints.answer import Answer
from chalicelib.entrypoints.call import Call
from chalicelib.entrypoints.listing import continued, query_of
from chalicelib.idempotency.ports import ResponseRecorder
from chalicelib.outbox.headers import TRACEPARENT

E = TypeVar("E", Account, Contact, Job)

BASE = "/api/crm"


def unit_of_work(call: Call, answer: Callable[[Any], Answer] | None = None) -> UnitOfWork:
    """Return a unit of work for the caller's tenant.

    With an idempotency key, its transaction also stores the answer that `answer` makes of
    the use case's result.
    """
    recorder = None
    if call.idempotency_key and answer:
        recorder = ResponseRecorder(call.idempotency_key, lambda result: answer(result).stored())
    headers = {TRACEPARENT: call.traceparent}
    return container().crm.unit_of_work(call.principal.tenant_id, headers, recorder)


def created(call: Call, collection: str, entity: Entity) -> Answer:
    """Return the answer to a creation: the entity and its address."""
    location = f"{call.base_path}{BASE}/{collection}/{entity.id}"
    return Answer(entity.to_json(), 201, {"Location": location, "ETag": _etag(entity)})


def one_entity(entity: Entity) -> Answer:
    """Return the answer with one entity and its ETag."""
    return Answer(entity.to_json(), headers={"ETag": _etag(entity)})


def no_content(_: None = None) -> Answer:
    """Return the answer without a body."""
    return Answer(status=204)


def listed(
    call: Call,
    kind: type[E],
    uow: UnitOfWork,
    repository: Repository[E],
    filters: Mapping[str, str],
) -> Answer:
    """Return the page of entities that the query parameters ask for."""
    query = query_of(call, kind, filters)
    return continued(call, kind, query, use_cases.find(uow, repository, query))


def _etag(entity: Entity) -> str:
    return f'"{entity.version}"'
