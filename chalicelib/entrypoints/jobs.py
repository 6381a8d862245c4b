"""Jobs over HTTP."""

from chalice.app import Blueprint

from chalicelib.bootstrap import container
from chalicelib.crm import use_cases
from chalicelib.crm.commands import MoveJob
from chalicelib.crm.entities import JOB
from chalicelib.crm.model import Job
from chalicelib.entrypoints.answer import Answer
from chalicelib.entrypoints.call import Call
from chalicelib.entrypoints.crm import (
    BASE,
    change_entity,
    create_entity,
    delete_entity,
    entity_answer,
    list_entities,
    read_entity,
    unit_of_work,
)
from chalicelib.entrypoints.crm_operations import (
    change_operation,
    create_operation,
    delete_operation,
    list_operation,
    read_operation,
    tag_of,
)
from chalicelib.entrypoints.endpoint import endpoint
from chalicelib.entrypoints.operation import WRITE_ERRORS, Operation
from chalicelib.shared.schema import parse

routes = Blueprint(__name__)


@routes.route(f"{BASE}/jobs", methods=["POST"], content_types=[])
@endpoint(
    routes,
    create_operation(
        JOB,
        summary="Create a job",
        example={
            "title": "Replace the meter",
            "amountCents": 12_500,
            "accountId": "0197a3c0-5f3e-7cc4-9d0a-2b8b6f0f1e11",
            "currency": "CHF",
            "scheduledFor": "2030-01-31T09:00:00Z",
        },
        links=("read_job", "change_job", "delete_job", "move_job"),
    ),
)
def create_job(call: Call) -> Answer:
    """Add a job."""
    return create_entity(call, JOB)


@routes.route(f"{BASE}/jobs", methods=["GET"])
@endpoint(
    routes,
    list_operation(JOB, summary="List jobs"),
)
def list_jobs(call: Call) -> Answer:
    """List jobs."""
    return list_entities(call, JOB)


@routes.route(f"{BASE}/jobs/{{id}}", methods=["GET"])
@endpoint(routes, read_operation(JOB, summary="Read a job"))
def read_job(call: Call) -> Answer:
    """Read a job."""
    return read_entity(call, JOB)


@routes.route(f"{BASE}/jobs/{{id}}", methods=["PATCH"], content_types=[])
@endpoint(
    routes,
    change_operation(
        JOB,
        summary="Change a job",
        example={"title": "Replace the meter", "amountCents": 12_500},
    ),
)
def change_job(call: Call) -> Answer:
    """Change a job, its status apart."""
    return change_entity(call, JOB)


@routes.route(f"{BASE}/jobs/{{id}}", methods=["DELETE"], content_types=[])
@endpoint(routes, delete_operation(JOB, summary="Delete a job"))
def delete_job(call: Call) -> Answer:
    """Delete a job."""
    return delete_entity(call, JOB)


@routes.route(f"{BASE}/jobs/{{id}}/status", methods=["POST"], content_types=[])
@endpoint(
    routes,
    Operation(
        summary="Move a job to another status",
        tag=tag_of(JOB),
        description="The problem document of an illegal change lists the allowed statuses.",
        request=MoveJob,
        example={"status": "Scheduled"},
        response=Job,
        response_description="Moved. This is the new version.",
        response_headers=("ETag",),
        errors=(*WRITE_ERRORS, 404, 412),
        idempotent=True,
    ),
)
def move_job(call: Call) -> Answer:
    """Move a job to another status."""
    job_id = call.id
    precondition = call.precondition()
    command = parse(MoveJob, call.body())
    moved_by = call.principal.subject
    return entity_answer(
        use_cases.move_job(
            job_id,
            command,
            precondition,
            moved_by,
            unit_of_work(call, entity_answer),
            container().clock,
        )
    )
