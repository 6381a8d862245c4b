"""Accounts over HTTP."""

from chalice.app import Blueprint

from chalicelib.crm.entities import ACCOUNT
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


@routes.route(f"{BASE}/accounts", methods=["POST"], content_types=[])
@endpoint(
    routes,
    create_operation(
        ACCOUNT,
        summary="Create an account",
        example={"name": "Northwind Energy", "website": "https://northwind.example"},
        links=("read_account", "change_account", "delete_account"),
    ),
)
def create_account(call: Call) -> Answer:
    """Open an account."""
    return create_entity(call, ACCOUNT)


@routes.route(f"{BASE}/accounts", methods=["GET"])
@endpoint(routes, list_operation(ACCOUNT, summary="List accounts"))
def list_accounts(call: Call) -> Answer:
    """List accounts."""
    return list_entities(call, ACCOUNT)


@routes.route(f"{BASE}/accounts/{{id}}", methods=["GET"])
@endpoint(routes, read_operation(ACCOUNT, summary="Read an account"))
def read_account(call: Call) -> Answer:
    """Read an account."""
    return read_entity(call, ACCOUNT)


@routes.route(f"{BASE}/accounts/{{id}}", methods=["PATCH"], content_types=[])
@endpoint(
    routes,
    change_operation(
        ACCOUNT,
        summary="Change an account",
        example={"phone": "+41 44 668 18 00", "industry": None},
    ),
)
def change_account(call: Call) -> Answer:
    """Change an account."""
    return change_entity(call, ACCOUNT)


@routes.route(f"{BASE}/accounts/{{id}}", methods=["DELETE"], content_types=[])
@endpoint(
    routes,
    delete_operation(
        ACCOUNT, summary="Delete an account", description="An account that still has jobs is kept."
    ),
)
def delete_account(call: Call) -> Answer:
    """Delete an account that has no jobs."""
    return delete_entity(call, ACCOUNT)
