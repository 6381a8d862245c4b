"""The document's paths: each route with its operation, access rule and request body."""

from collections.abc import Mapping
from typing import Any

from chalicelib.entrypoints.access import OWN_CREDENTIAL, PUBLIC, RULES, System
from chalicelib.entrypoints.methods import NOT_OPERATIONS
from chalicelib.entrypoints.operation import Operation
from infra.docs.openapi.parameters import parameters
from infra.docs.openapi.responses import responses
from infra.docs.openapi.schemas import reference


def paths(
    routes: Mapping[str, Mapping[str, Any]], operations: Mapping[str, Operation]
) -> dict[str, Any]:
    """Return the path items of a Chalice app's routes.

    Raises:
        KeyError: a view states no operation, or its route has no access rule.
    """
    items: dict[str, dict[str, Any]] = {}
    for path, methods in sorted(routes.items()):
        for method, route in sorted(methods.items()):
            name = route.view_function.__name__
            if name not in NOT_OPERATIONS:
                item = items.setdefault(path, {})
                item[method.lower()] = _operation(path, method, name, operations)
    return items


def _operation(
    path: str, method: str, name: str, operations: Mapping[str, Operation]
) -> dict[str, Any]:
    operation = operations[name]
    return {
        "operationId": name,
        "summary": operation.summary,
        "description": _description(path, method, operation),
        "tags": [operation.tag],
        "parameters": parameters(path, operation),
        "responses": responses(operation, operations),
        **_security(path, method, operation),
        **_request_body(operation),
    }


def _description(path: str, method: str, operation: Operation) -> str:
    callers = _callers(path, method, operation)
    return f"{operation.description}\n\n{callers}".strip()


def _callers(path: str, method: str, operation: Operation) -> str:
    """Return the sentence that states who may call the operation."""
    rule = RULES[method, path]
    if rule == PUBLIC:
        return "Public: no credentials needed."
    if rule == OWN_CREDENTIAL:
        schemes = " or ".join(f"`{scheme}`" for scheme in operation.security)
        operators = ""
        if "bearer" in operation.security:
            operators = " A `bearer` token needs a role of the tenant that runs the system."
        return f"Credentials: {schemes}.{operators}"
    roles = " or ".join(f"`{role}`" for role in sorted(rule))
    where = ", in the tenant that runs the system" if isinstance(rule, System) else ""
    return f"Role: {roles}{where}."


def _security(path: str, method: str, operation: Operation) -> dict[str, Any]:
    rule = RULES[method, path]
    if rule == PUBLIC:
        return {"security": []}
    if rule == OWN_CREDENTIAL:
        return {"security": [{scheme: []} for scheme in operation.security]}
    return {"security": [{"bearer": []}], "x-roles": sorted(rule)}


def _request_body(operation: Operation) -> dict[str, Any]:
    if operation.request is None:
        return {}
    media_type = {"schema": reference(operation.request), "example": operation.example}
    content = dict.fromkeys(operation.request_types, media_type)
    return {"requestBody": {"required": True, "content": content}}
