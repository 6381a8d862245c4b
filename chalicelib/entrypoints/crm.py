"""What the CRM's endpoints share: create, list, read, change, delete, for any kind of entity."""

from collections.abc import Callable
from functools import partial
from typing import Any

from chalicelib.bootstrap import container
from chalicelib.crm import use_cases
from chalicelib.crm.entities import EntityType
from chalicelib.crm.model import Entity
from chalicelib.crm.ports import UnitOfWork
from chalicelib.entrypoints.answer import Answer
from chalicelib.entrypoints.call import PATCH_TYPES, Call
from chalicelib.entrypoints.links import link
from chalicelib.entrypoints.listing import page_answer, query_of
from chalicelib.idempotency.ports import ResponseRecorder
from chalicelib.outbox.headers import TRACEPARENT
from chalicelib.shared.schema import parse

BASE = "/api/crm"


def create_entity(call: Call, kind: EntityType[Any]) -> Answer:
    """Create the entity that the body describes."""
    command = parse(kind.create, call.body())
    answer = partial(_created, call, kind)
    uow = unit_of_work(call, answer)
    return answer(use_cases.create(kind, command, uow, container().clock))


def list_entities(call: Call, kind: EntityType[Any]) -> Answer:
    """Return the page that the query parameters ask for."""
    uow = unit_of_work(call)
    query = query_of(call, kind)
    return page_answer(call, kind, query, use_cases.find(kind, query, uow))


def read_entity(call: Call, kind: EntityType[Any]) -> Answer:
    """Return the entity that the path names."""
    uow = unit_of_work(call)
    return entity_answer(use_cases.read(kind, call.id, uow))


def change_entity(call: Call, kind: EntityType[Any]) -> Answer:
    """Apply the body, a merge patch, to the entity that the path names."""
    entity_id = call.id
    precondition = call.precondition(required=True)
    patch = parse(kind.change, call.body(PATCH_TYPES))
    uow = unit_of_work(call, entity_answer)
    entity = use_cases.change(kind, entity_id, patch, precondition, uow, container().clock)
    return entity_answer(entity)


def delete_entity(call: Call, kind: EntityType[Any]) -> Answer:
    """Delete the entity that the path names."""
    entity_id = call.id
    precondition = call.precondition()
    uow = unit_of_work(call, _no_content)
    use_cases.delete(kind, entity_id, precondition, uow, container().clock)
    return _no_content()


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


def entity_answer(entity: Entity) -> Answer:
    """Return the answer with one entity and its ETag."""
    return Answer(entity.to_json(), headers={"ETag": _etag(entity)})


def _created(call: Call, kind: EntityType[Any], entity: Entity) -> Answer:
    location = link(call, f"{BASE}/{kind.collection}/{entity.id}")
    return Answer(entity.to_json(), 201, {"Location": location, "ETag": _etag(entity)})


def _no_content(_: None = None) -> Answer:
    return Answer(status=204)


def _etag(entity: Entity) -> str:
    return f'"{entity.version}"'
