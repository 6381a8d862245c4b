"""Access control: the table of routes and roles, and the check that enforces it.

A route without a rule cannot be called, and the tests refuse it. docs/access.md and the
OpenAPI document are generated from the table.
"""

from collections.abc import Mapping
from typing import Final, Literal

from chalicelib.bootstrap import container
from chalicelib.security.identity import Principal, Role
from chalicelib.shared.errors import AetherLinkError, Forbidden, Unauthenticated
from chalicelib.telemetry import logs, names
from chalicelib.telemetry.harmless import harmless


class System(frozenset[Role]):
    """Roles that count only in the tenant that runs the system (OPERATOR_TENANT_ID).

    They guard what belongs to the whole system rather than to a tenant.
    """


Rule = frozenset[Role] | Literal["public", "own credential"]
"""Any of these roles; or everyone; or the holder of a credential that the view itself checks."""

CHALLENGE: Final = "WWW-Authenticate"
REALM: Final = 'Bearer realm="aetherlink"'
PUBLIC: Final = "public"
OWN_CREDENTIAL: Final = "own credential"
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
    ("GET", "/docs/{file}"): PUBLIC,
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
    ("POST", "/autoheal/alert"): OWN_CREDENTIAL,  # the webhook's bearer token
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
    ("GET", "/ack"): OWN_CREDENTIAL,  # a signed link
    ("POST", "/ack"): OWN_CREDENTIAL,  # a signed link, or else as SYSTEM
    ("GET", "/metrics"): OWN_CREDENTIAL,  # the scraper's bearer token, or else as SYSTEM
}


def admit(rule: Rule | None, headers: Mapping[str, str]) -> Principal | None:
    """Return the caller, authorized by `rule`; None where this is not the place to authenticate.

    Raises:
        errors.Forbidden: there is no rule; and as `authorize`.
        errors.Unauthenticated: as `authorize`.
        errors.RateLimited: as `authorize`.
    """
    if rule is None:
        raise Forbidden(
            "This operation is not open to callers.",
            code="rule-missing",
            cause="the route is not in access.RULES",
        )
    return None if isinstance(rule, str) else authorize(rule, headers)


def authorize(roles: frozenset[Role], headers: Mapping[str, str]) -> Principal:
    """Return the authenticated caller, who has at least one of `roles`.

    Raises:
        errors.Unauthenticated: missing or invalid credentials.
        errors.Forbidden: the caller lacks the role or belongs to another tenant.
        errors.RateLimited: the tenant has reached its rate limit.
    """
    principal = container().access.authenticator.authenticate(headers)
    caller = f"{principal.subject} of tenant {principal.tenant_id}"
    if not principal.roles & roles:
        raise Forbidden(
            f"This requires one of the roles: {', '.join(sorted(roles))}.",
            code="role-missing",
            cause=f"{caller} has: {', '.join(sorted(principal.roles))}",
        )
    if isinstance(roles, System) and principal.tenant_id != container().settings.operator_tenant_id:
        raise Forbidden(
            "Only members of the tenant that runs the system may do this.",
            code="operators-alone",
            cause=caller,
        )
    if rate := container().access.tenant_rate:
        rate.admit(principal.tenant_id)
    return principal


def challenge(headers: Mapping[str, str]) -> str:
    """Return the header `WWW-Authenticate` of a 401 (RFC 6750, 3).

    It has an error code only where a bearer token was sent.

    Args:
        headers: the request's headers, with names in lower case.
    """
    scheme, _, token = headers.get("authorization", "").strip().partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        return REALM
    return f'{REALM}, error="invalid_token"'


def note_refusal(problem: AetherLinkError, *, request_id: str, method: str, path: str) -> None:
    """Log and count a 401 or 403. Other problems are ignored. The token is never logged."""
    if not isinstance(problem, Unauthenticated | Forbidden):
        return
    with harmless():
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
