"""The CRM over HTTP: accounts, contacts and jobs."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from chalice.app import Blueprint

from chalicelib.bootstrap import container
from chalicelib.crm import use_cases
from chalicelib.crm.commands import (
    ChangeAccount,
    ChangeContact,
    ChangeJob,
    CreateAccount,
    CreateContact,
    CreateJob,
    MoveJob,
)
from chalicelib.crm.model import Account, Contact, Entity, Job
from chalicelib.crm.ports import Repository, UnitOfWork
from chalicelib.entrypoints.http import PATCH_TYPES, Answer, Call, endpoint
from chalicelib.entrypoints.listing import continued, query_of
from chalicelib.idempotency.ports import ResponseRecorder
from chalicelib.outbox.headers import TRACEPARENT
from chalicelib.shared.schema import parse

E = TypeVar("E", Account, Contact, Job)

BASE = "/api/crm"

routes = Blueprint(__name__)


@routes.route(f"{BASE}/accounts", methods=["POST"], content_types=[])
@endpoint(routes, once=True, creates=True)
def create_account(call: Call) -> Answer:
    """Open an account."""
    command = parse(CreateAccount, call.body())
    answer = partial(_created, call, "accounts")
    return answer(use_cases.create_account(command, _uow(call, answer), container().clock))


@routes.route(f"{BASE}/accounts", methods=["GET"])
@endpoint(routes)
def list_accounts(call: Call) -> Answer:
    """List accounts."""
    uow = _uow(call)
    return _listed(call, Account, uow, uow.accounts, {})


@routes.route(f"{BASE}/accounts/{{id}}", methods=["GET"])
@endpoint(routes)
def read_account(call: Call) -> Answer:
    """Read an account."""
    uow = _uow(call)
    return _one(use_cases.read(uow, uow.accounts, call.id))


@routes.route(f"{BASE}/accounts/{{id}}", methods=["PATCH"], content_types=[])
@endpoint(routes, once=True)
def change_account(call: Call) -> Answer:
    """Change an account."""
    account_id = call.id
    expected = call.expected_version(required=True)
    patch = parse(ChangeAccount, call.body(PATCH_TYPES))
    return _one(
        use_cases.change_account(account_id, patch, expected, _uow(call, _one), container().clock)
    )


@routes.route(f"{BASE}/accounts/{{id}}", methods=["DELETE"], content_types=[])
@endpoint(routes, once=True)
def delete_account(call: Call) -> Answer:
    """Delete an account that has no jobs."""
    use_cases.delete_account(call.id, call.expected_version(), _uow(call, _gone), container().clock)
    return _gone()


@routes.route(f"{BASE}/contacts", methods=["POST"], content_types=[])
@endpoint(routes, once=True, creates=True)
def create_contact(call: Call) -> Answer:
    """Add a contact."""
    command = parse(CreateContact, call.body())
    answer = partial(_created, call, "contacts")
    return answer(use_cases.create_contact(command, _uow(call, answer), container().clock))


@routes.route(f"{BASE}/contacts", methods=["GET"])
@endpoint(routes)
def list_contacts(call: Call) -> Answer:
    """List contacts."""
    uow = _uow(call)
    return _listed(call, Contact, uow, uow.contacts, {"accountId": "account_id", "email": "email"})


@routes.route(f"{BASE}/contacts/{{id}}", methods=["GET"])
@endpoint(routes)
def read_contact(call: Call) -> Answer:
    """Read a contact."""
    uow = _uow(call)
    return _one(use_cases.read(uow, uow.contacts, call.id))


@routes.route(f"{BASE}/contacts/{{id}}", methods=["PATCH"], content_types=[])
@endpoint(routes, once=True)
def change_contact(call: Call) -> Answer:
    """Change a contact."""
    contact_id = call.id
    expected = call.expected_version(required=True)
    patch = parse(ChangeContact, call.body(PATCH_TYPES))
    return _one(
        use_cases.change_contact(contact_id, patch, expected, _uow(call, _one), container().clock)
    )


@routes.route(f"{BASE}/contacts/{{id}}", methods=["DELETE"], content_types=[])
@endpoint(routes, once=True)
def delete_contact(call: Call) -> Answer:
    """Delete a contact and detach it from its jobs."""
    use_cases.delete_contact(call.id, call.expected_version(), _uow(call, _gone), container().clock)
    return _gone()


@routes.route(f"{BASE}/jobs", methods=["POST"], content_types=[])
@endpoint(routes, once=True, creates=True)
def create_job(call: Call) -> Answer:
    """Add a job."""
    command = parse(CreateJob, call.body())
    answer = partial(_created, call, "jobs")
    return answer(use_cases.create_job(command, _uow(call, answer), container().clock))


@routes.route(f"{BASE}/jobs", methods=["GET"])
@endpoint(routes)
def list_jobs(call: Call) -> Answer:
    """List jobs."""
    uow = _uow(call)
    filters = {"status": "status", "accountId": "account_id", "contactId": "contact_id"}
    return _listed(call, Job, uow, uow.jobs, filters)


@routes.route(f"{BASE}/jobs/{{id}}", methods=["GET"])
@endpoint(routes)
def read_job(call: Call) -> Answer:
    """Read a job."""
    uow = _uow(call)
    return _one(use_cases.read(uow, uow.jobs, call.id))


@routes.route(f"{BASE}/jobs/{{id}}", methods=["PATCH"], content_types=[])
@endpoint(routes, once=True)
def change_job(call: Call) -> Answer:
    """Change a job, its status apart."""
    job_id = call.id
    expected = call.expected_version(required=True)
    patch = parse(ChangeJob, call.body(PATCH_TYPES))
    return _one(use_cases.change_job(job_id, patch, expected, _uow(call, _one), container().clock))


@routes.route(f"{BASE}/jobs/{{id}}", methods=["DELETE"], content_types=[])
@endpoint(routes, once=True)
def delete_job(call: Call) -> Answer:
    """Delete a job."""
    use_cases.delete_job(call.id, call.expected_version(), _uow(call, _gone), container().clock)
    return _gone()


@routes.route(f"{BASE}/jobs/{{id}}/status", methods=["POST"], content_types=[])
@endpoint(routes, once=True)
def move_job(call: Call) -> Answer:
    """Move a job to another status."""
    job_id = call.id
    expected = call.expected_version()
    command = parse(MoveJob, call.body())
    moved_by = call.principal.subject
    return _one(
        use_cases.move_job(job_id, command, expected, moved_by, _uow(call, _one), container().clock)
    )


def _uow(call: Call, answer: Callable[[Any], Answer] | None = None) -> UnitOfWork:
    """Begin a transaction; with an idempotency key, one that also notes what `answer` makes of its result."""
    note = (
        ResponseRecorder(call.once, lambda result: answer(result).stored())
        if call.once and answer
        else None
    )
    return container().crm.unit_of_work(
        call.principal.tenant_id, {TRACEPARENT: call.traceparent}, note
    )


def _created(call: Call, collection: str, entity: Entity) -> Answer:
    location = f"{call.base_path}{BASE}/{collection}/{entity.id}"
    return Answer(entity.to_json(), 201, {"Location": location, "ETag": _etag(entity)})


def _one(entity: Entity) -> Answer:
    return Answer(entity.to_json(), headers={"ETag": _etag(entity)})


def _gone(_: None = None) -> Answer:
    return Answer(status=204)


def _listed(
    call: Call,
    kind: type[E],
    uow: UnitOfWork,
    things: Repository[E],
    filters: Mapping[str, str],
) -> Answer:
    query = query_of(call, kind, filters)
    return continued(call, kind, query, use_cases.find(uow, things, query))


def _etag(entity: Entity) -> str:
    return f'"{entity.version}"'
