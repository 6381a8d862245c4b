"""Jobs over HTTP."""

from functools import partial

from chalice.app import Blueprint

from chalicelib.bootstrap import container
from chalicelib.crm import use_cases
from chalicelib.crm.commands import (
    ChangeJob,
    CreateJob,
    MoveJob,
)
from chalicelib.crm.model import Job, JobStatus
from chalicelib.entrypoints.answer import Answer
from chalicelib.entrypoints.call import PATCH_TYPES, Call
from chalicelib.entrypoints.crm import BASE, created, listed, no_content, one_entity, unit_of_work
from chalicelib.entrypoints.crm_operations import (
    change_operation,
    create_operation,
    delete_operation,
    list_operation,
    read_operation,
)
from chalicelib.entrypoints.endpoint import endpoint
from chalicelib.entrypoints.operation import WRITE_ERRORS, Operation, Parameter, Tag
from chalicelib.entrypoints.schemas import UUID, enum_of
from chalicelib.shared.schema import parse

routes = Blueprint(__name__)


@routes.route(f"{BASE}/jobs", methods=["POST"], content_types=[])
@endpoint(
    routes,
    create_operation(
        Job,
        CreateJob,
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
    command = parse(CreateJob, call.body())
    answer = partial(created, call, "jobs")
    return answer(use_cases.create_job(command, unit_of_work(call, answer), container().clock))


@routes.route(f"{BASE}/jobs", methods=["GET"])
@endpoint(
    routes,
    list_operation(
        Job,
        summary="List jobs",
        filters=(
            Parameter("status", enum_of(JobStatus), "Only jobs with this status."),
            Parameter("accountId", UUID, "Only jobs of this account."),
            Parameter("contactId", UUID, "Only jobs of this contact."),
        ),
    ),
)
def list_jobs(call: Call) -> Answer:
    """List jobs."""
    uow = unit_of_work(call)
    filters = {"status": "status", "accountId": "account_id", "contactId": "contact_id"}
    return listed(call, Job, uow, uow.jobs, filters)


@routes.route(f"{BASE}/jobs/{{id}}", methods=["GET"])
@endpoint(routes, read_operation(Job, summary="Read a job"))
def read_job(call: Call) -> Answer:
    """Read a job."""
    uow = unit_of_work(call)
    return one_entity(use_cases.read(uow, uow.jobs, call.id))


@routes.route(f"{BASE}/jobs/{{id}}", methods=["PATCH"], content_types=[])
@endpoint(
    routes,
    change_operation(
        Job,
        ChangeJob,
        summary="Change a job",
        example={"title": "Replace the meter", "amountCents": 12_500},
    ),
)
def change_job(call: Call) -> Answer:
    """Change a job, its status apart."""
    job_id = call.id
    expected = call.expected_version(required=True)
    patch = parse(ChangeJob, call.body(PATCH_TYPES))
    return one_entity(
        use_cases.change_job(
            job_id, patch, expected, unit_of_work(call, one_entity), container().clock
        )
    )


@routes.route(f"{BASE}/jobs/{{id}}", methods=["DELETE"], content_types=[])
@endpoint(routes, delete_operation(summary="Delete a job"))
def delete_job(call: Call) -> Answer:
    """Delete a job."""
    use_cases.delete_job(
        call.id, call.expected_version(), unit_of_work(call, no_content), container().clock
    )
    return no_content()


@routes.route(f"{BASE}/jobs/{{id}}/status", methods=["POST"], content_types=[])
@endpoint(
    routes,
    Operation(
        summary="Move a job to another status",
        tag=Tag.CRM,
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
    expected = call.expected_version()
    command = parse(MoveJob, call.body())
    moved_by = call.principal.subject
    return one_entity(
        use_cases.move_job(
            job_id, command, expected, moved_by, unit_of_work(call, one_entity), container().clock
        )
    )
