"""Contacts over HTTP."""

from chalice.app import Blueprint

from chalicelib.crm.entities import CONTACT
from chalicelib.entrypoints.answer import Answer
from chalicelib.entrypoints.call import Call
from chalicelib.entrypoints.crm import (
    BASE,
    change_entity,
    create_entity,
    delete_entity,
    list_entities,
    read_entity,
)
from chalicelib.entrypoints.crm_operations import (
    change_operation,
    create_operation,
    delete_operation,
    list_operation,
    read_operation,
)
from chalicelib.entrypoints.endpoint import endpoint

routes = Blueprint(__name__)


@routes.route(f"{BASE}/contacts", methods=["POST"], content_types=[])
@endpoint(
    routes,
    create_operation(
        CONTACT,
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
    return create_entity(call, CONTACT)


@routes.route(f"{BASE}/contacts", methods=["GET"])
@endpoint(
    routes,
    list_operation(CONTACT, summary="List contacts"),
)
def list_contacts(call: Call) -> Answer:
    """List contacts."""
    return list_entities(call, CONTACT)


@routes.route(f"{BASE}/contacts/{{id}}", methods=["GET"])
@endpoint(routes, read_operation(CONTACT, summary="Read a contact"))
def read_contact(call: Call) -> Answer:
    """Read a contact."""
    return read_entity(call, CONTACT)


@routes.route(f"{BASE}/contacts/{{id}}", methods=["PATCH"], content_types=[])
@endpoint(
    routes,
    change_operation(
        CONTACT,
        summary="Change a contact",
        example={"email": "ada.lovelace@northwind.example"},
    ),
)
def change_contact(call: Call) -> Answer:
    """Change a contact."""
    return change_entity(call, CONTACT)


@routes.route(f"{BASE}/contacts/{{id}}", methods=["DELETE"], content_types=[])
@endpoint(
    routes,
    delete_operation(
        CONTACT, summary="Delete a contact", description="Its jobs stay, without a contact."
    ),
)
def delete_contact(call: Call) -> Answer:
    """Delete a contact and detach it from its jobs."""
    return delete_entity(call, CONTACT)
