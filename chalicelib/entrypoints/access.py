"""Who may call what: one table of routes and roles, and the door that follows it.

A route that the table does not have is closed to everybody, and the tests refuse it.
docs/access.md and the OpenAPI document are made from the table.
"""

from collections.abc import Mapping
from typing import Final, Literal

from chalicelib.bootstrap import container
from chalicelib.security.identity import Principal, Role
from chalicelib.shared.errors import AetherLinkError, Forbidden, Unauthenticated
from chalicelib.telemetry import logs, names


class System(frozenset[Role]):
    """Roles that count only within the tenant of those who run the system: what they open belongs to no tenant."""


Rule = frozenset[Role] | Literal["public", "own proof"]
"""Any one of these roles; everybody, unasked; or whoever brings the proof that the view itself asks for."""

PUBLIC: Final = "public"
OWN_PROOF: Final = "own proof"
WRITERS: Final = frozenset({Role.SALES, Role.ADMIN})
READERS: Final = frozenset({Role.SALES, Role.OPS, Role.ADMIN})
OPERATORS: Final = frozenset({Role.OPS, Role.ADMIN})
SYSTEM: Final = System(OPERATORS)
SYSTEM_ADMINS: Final = System({Role.ADMIN})


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
    ("POST", "/autoheal/alert"): OWN_PROOF,  # the webhook's bearer token
    ("GET", "/autoheal/actions"): SYSTEM,
    ("GET", "/autoheal/actions/{id}"): SYSTEM,
    ("POST", "/autoheal/actions/{id}/approve"): SYSTEM_ADMINS,
    ("POST", "/autoheal/actions/{id}/reject"): SYSTEM_ADMINS,
    ("GET", "/autoheal/config"): SYSTEM,
    ("PUT", "/autoheal/config"): SYSTEM,
    ("GET", "/audit"): SYSTEM,
    ("GET", "/alerts"): SYSTEM,
    ("GET", "/silences"): SYSTEM,
    ("DELETE", "/silences/{id}"): SYSTEM,
    ("GET", "/ack"): OWN_PROOF,  # a signed link
    ("POST", "/ack"): OWN_PROOF,  # a signed link, or else as SYSTEM
    ("GET", "/metrics"): OWN_PROOF,  # the scraper's bearer token, or else as SYSTEM
}


def admit(rule: Rule | None, headers: Mapping[str, str]) -> Principal | None:
    """Return who calls, where `rule` lets them in; None where nobody is asked here.

    Raises:
        as `admitted` does; errors.Forbidden also where there is no rule.
    """
    if rule is None:
        raise Forbidden(
            "Nobody may call this.",
            code="rule-missing",
            cause="the route is not in access.RULES",
        )
    return None if isinstance(rule, str) else admitted(rule, headers)


def admitted(roles: frozenset[Role], headers: Mapping[str, str]) -> Principal:
    """Return who calls, where they have one of `roles`.

    Raises:
        errors.Unauthenticated: nobody, or a proof that does not hold.
        errors.Forbidden: a caller without the role or for another tenant.
        errors.RateLimited: the tenant has used up its share for now.
    """
    principal = container().access.authenticator.authenticate(headers)
    who = f"{principal.subject} of tenant {principal.tenant_id}"
    if not principal.roles & roles:
        raise Forbidden(
            f"This needs one of the roles: {', '.join(sorted(roles))}.",
            code="role-missing",
            cause=f"{who} has: {', '.join(sorted(principal.roles))}",
        )
    if isinstance(roles, System) and principal.tenant_id != container().settings.operator_tenant_id:
        raise Forbidden(
            "This is for those who run the system: members of the tenant that OPERATOR_TENANT_ID names.",
            code="operators-alone",
            cause=who,
        )
    if rate := container().access.tenant_rate:
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
    meter = container().telemetry.api_meter
    meter.count(
        names.ACCESS_UNAUTHENTICATED
        if problem.status == Unauthenticated.status
        else names.ACCESS_FORBIDDEN
    )
    meter.flush()
