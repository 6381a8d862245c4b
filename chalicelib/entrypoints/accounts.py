"""Accounts over HTTP."""

from functools import partial

from chalice.app import Blueprint

from chalicelib.bootstrap import container
from chalicelib.crm import use_cases
from chalicelib.crm.commands import (
    ChangeAccount,
    CreateAccount,
)
from chalicelib.crm.model import Account
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
from chalicelib.shared.schema import parse

routes = Blueprint(__name__)


@routes.route(f"{BASE}/accounts", methods=["POST"], content_types=[])
@endpoint(
    routes,
    create_operation(
        Account,
        CreateAccount,
        summary="Create an account",
        example={"name": "Northwind Energy", "website": "https://northwind.example"},
        links=("read_account", "change_account", "delete_account"),
    ),
)
def create_account(call: Call) -> Answer:
    """Open an account."""
    command = parse(CreateAccount, call.body())
    answer = partial(created, call, "accounts")
    return answer(use_cases.create_account(command, unit_of_work(call, answer), container().clock))


@routes.route(f"{BASE}/accounts", methods=["GET"])
@endpoint(routes, list_operation(Account, summary="List accounts"))
def list_accounts(call: Call) -> Answer:
    """List accounts."""
    uow = unit_of_work(call)
    return listed(call, Account, uow, uow.accounts, {})


@routes.route(f"{BASE}/accounts/{{id}}", methods=["GET"])
@endpoint(routes, read_operation(Account, summary="Read an account"))
def read_account(call: Call) -> Answer:
    """Read an account."""
    uow = unit_of_work(call)
    return one_entity(use_cases.read(uow, uow.accounts, call.id))


@routes.route(f"{BASE}/accounts/{{id}}", methods=["PATCH"], content_types=[])
@endpoint(
    routes,
    change_operation(
        Account,
        ChangeAccount,
        summary="Change an account",
        example={"phone": "+41 44 668 18 00", "industry": None},
    ),
)
def change_account(call: Call) -> Answer:
    """Change an account."""
    account_id = call.id
    expected = call.expected_version(required=True)
    patch = parse(ChangeAccount, call.body(PATCH_TYPES))
    return one_entity(
        use_cases.change_account(
            account_id, patch, expected, unit_of_work(call, one_entity), container().clock
        )
    )


@routes.route(f"{BASE}/accounts/{{id}}", methods=["DELETE"], content_types=[])
@endpoint(
    routes,
    delete_operation(
        summary="Delete an account", description="An account that still has jobs is kept."
    ),
)
def delete_account(call: Call) -> Answer:
    """Delete an account that has no jobs."""
    use_cases.delete_account(
        call.id, call.expected_version(), unit_of_work(call, no_content), container().clock
    )
    return no_content()
