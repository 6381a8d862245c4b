"""Contacts over HTTP."""

from functools import partial

from chalice.app import Blueprint

from chalicelib.bootstrap import container
from chalicelib.crm import use_cases
from chalicelib.crm.commands import (
    ChangeContact,
    CreateContact,
)
from chalicelib.crm.model import Contact
from chalicelib.entrypoints.answer import Answer
from chalicelib.entrypoints.call import PATCH_TYPES, Call
from chalicelib.entrypoints.crm import BASE, created, listed, no_content, one_entity, unit_of_work
from chalicelib.entrypoints.crm_operations import (
    FILTER_TEXT,
    change_operation,
    create_operation,
    delete_operation,
    list_operation,
    read_operation,
)
from chalicelib.entrypoints.endpoint import endpoint
from chalicelib.entrypoints.operation import Parameter
from chalicelib.entrypoints.schemas import UUID
from chalicelib.shared.schema import parse

routes = Blueprint(__name__)


@routes.route(f"{BASE}/contacts", methods=["POST"], content_types=[])
@endpoint(
    routes,
    create_operation(
        Contact,
        CreateContact,
        summary="Create a contact",
        example={
            "name": "Ada Lovelace",
            "email": "ada@northwind.example",
            "title": "Head of Metering",
        },
        links=("read_contact", "change_contact", "delete_contact"),
    ),
)
def create_contact(call: Call) -> Answer:
    """Add a contact."""
    command = parse(CreateContact, call.body())
    answer = partial(created, call, "contacts")
    return answer(use_cases.create_contact(command, unit_of_work(call, answer), container().clock))


@routes.route(f"{BASE}/contacts", methods=["GET"])
@endpoint(
    routes,
    list_operation(
        Contact,
        summary="List contacts",
        filters=(
            Parameter("accountId", UUID, "Only contacts of this account."),
            Parameter("email", FILTER_TEXT, "Only contacts with this email address."),
        ),
    ),
)
def list_contacts(call: Call) -> Answer:
    """List contacts."""
    uow = unit_of_work(call)
    return listed(call, Contact, uow, uow.contacts, {"accountId": "account_id", "email": "email"})


@routes.route(f"{BASE}/contacts/{{id}}", methods=["GET"])
@endpoint(routes, read_operation(Contact, summary="Read a contact"))
def read_contact(call: Call) -> Answer:
    """Read a contact."""
    uow = unit_of_work(call)
    return one_entity(use_cases.read(uow, uow.contacts, call.id))


@routes.route(f"{BASE}/contacts/{{id}}", methods=["PATCH"], content_types=[])
@endpoint(
    routes,
    change_operation(
        Contact,
        ChangeContact,
        summary="Change a contact",
        example={"email": "ada.lovelace@northwind.example"},
    ),
)
def change_contact(call: Call) -> Answer:
    """Change a contact."""
    contact_id = call.id
    expected = call.expected_version(required=True)
    patch = parse(ChangeContact, call.body(PATCH_TYPES))
    return one_entity(
        use_cases.change_contact(
            contact_id, patch, expected, unit_of_work(call, one_entity), container().clock
        )
    )


@routes.route(f"{BASE}/contacts/{{id}}", methods=["DELETE"], content_types=[])
@endpoint(
    routes,
    delete_operation(summary="Delete a contact", description="Its jobs stay, without a contact."),
)
def delete_contact(call: Call) -> Answer:
    """Delete a contact and detach it from its jobs."""
    use_cases.delete_contact(
        call.id, call.expected_version(), unit_of_work(call, no_content), container().clock
    )
    return no_content()
