"""Who may call what: one table of routes and roles, and the door that follows it.

A route that the table does not have is closed to everybody, and the tests refuse it. docs/access.md and the OpenAPI
document are made from the table.
"""

from collections.abc import Mapping
from typing import Final, Literal

from chalicelib import bootstrap, logs, names
from chalicelib.errors import AetherLinkError, Forbidden, Unauthenticated
from chalicelib.identity import Principal, Role

Rule = frozenset[Role] | Literal["public"]
"""Any one of these roles; or everybody, unasked."""

PUBLIC: Final = "public"
WRITERS: Final = frozenset({Role.SALES, Role.ADMIN})
READERS: Final = frozenset({Role.SALES, Role.OPS, Role.ADMIN})
OPERATORS: Final = frozenset({Role.OPS, Role.ADMIN})


def _collection(path: str) -> dict[tuple[str, str], Rule]:
    return {
        ("POST", path): WRITERS,
        ("GET", path): READERS,
        ("GET", f"{path}/{{id}}"): READERS,
        ("PATCH", f"{path}/{{id}}"): WRITERS,
        ("DELETE", f"{path}/{{id}}"): WRITERS,
    }


RULES: Final[Mapping[tuple[str, str], Rule]] = {
    ("GET", "/"): PUBLIC,
    ("GET", "/health/live"): PUBLIC,
    ("GET", "/health/ready"): PUBLIC,
    ("GET", "/openapi.json"): PUBLIC,
    ("GET", "/docs"): PUBLIC,
    **_collection("/api/crm/accounts"),
    **_collection("/api/crm/contacts"),
    **_collection("/api/crm/jobs"),
    ("POST", "/api/crm/jobs/{id}/status"): WRITERS,
    ("GET", "/api/outbox"): OPERATORS,
    ("GET", "/api/outbox/streams"): OPERATORS,
    ("POST", "/api/outbox/streams/{key}/requeue"): OPERATORS,
    ("POST", "/api/outbox/streams/{key}/discard"): OPERATORS,
    ("POST", "/api/outbox/replay"): OPERATORS,
    ("GET", "/api/outbox/replay/{id}"): OPERATORS,
}


def admit(rule: Rule | None, headers: Mapping[str, str]) -> Principal | None:
    """Return who calls, where `rule` lets them in; None where nobody is asked.

    Raises:
        errors.Unauthenticated: nobody, or a proof that does not hold.
        errors.Forbidden: a caller without the role or for another tenant; or there is no rule.
        errors.RateLimited: the tenant has used up its share for now.
    """
    if rule == PUBLIC:
        return None
    if rule is None:
        raise Forbidden("Nobody may call this.", code="rule-missing", cause="the route is not in access.RULES")
    principal = bootstrap.authenticator().authenticate(headers)
    if not principal.roles & rule:
        raise Forbidden(
            f"This needs one of the roles: {', '.join(sorted(rule))}.",
            code="role-missing",
            cause=f"{principal.subject} of tenant {principal.tenant_id} has: {', '.join(sorted(principal.roles))}",
        )
    if rate := bootstrap.tenant_rate():
        rate.admit(principal.tenant_id)
    return principal


def note_refusal(problem: AetherLinkError, *, request_id: str, method: str, path: str) -> None:
    """Log and count that `problem` kept a caller out; other problems are not noted. The log never has the token."""
    if not isinstance(problem, Unauthenticated | Forbidden):
        return
    logs.warning(
        names.ACCESS_REFUSED,
        request_id=request_id,
        method=method,
        path=path,
        status=problem.status,
        code=problem.code,
        cause=problem.cause,
    )
    meter = bootstrap.api_meter()
    meter.count(names.ACCESS_UNAUTHENTICATED if problem.status == Unauthenticated.status else names.ACCESS_FORBIDDEN)
    meter.flush()
