"""docs/access.md, made from the table of routes and roles. `make fmt` writes it."""

from chalicelib.entrypoints.access import OWN_CREDENTIAL, PUBLIC, RULES, System
from chalicelib.security.identity import Role

PAGE = """\
# Who may do what

This page is generated from `chalicelib/entrypoints/access.py` (`make fmt`).

| method | path | {roles} | everybody |
| --- | --- | {rules} | --- |
{rows}

`system` needs the role in the tenant that `OPERATOR_TENANT_ID` names: alerts, silences, remediations and their audit
are the whole system's. A proof of its own is the webhook's or the scraper's bearer token, or a signed link; `POST /ack`
and `/metrics` take ops and admin of that tenant as well. A route without a rule is closed to everybody. OPTIONS, and
the 405 of methods that a path does not have, are public.

## How a caller is known

`Authorization: Bearer <token>`, a JSON Web Token of the issuer that `OIDC_ISSUER` names: signed with RS256 or ES256 by
a key that the issuer publishes, for the audience `OIDC_AUDIENCE`, within `exp` and `nbf`, with a subject. The tenant (a
UUID) and the roles come from claims; the roles are a list, or a text with spaces or commas, unknown ones are ignored.

| issuer | `OIDC_TENANT_CLAIM` | `OIDC_ROLES_CLAIM` | `OIDC_AUDIENCE` |
| --- | --- | --- | --- |
| Amazon Cognito | `custom:tenant_id` | `cognito:groups` | the app client's id |
| Auth0 | `https://your.domain/tenant_id` | `https://your.domain/roles` | the API's identifier |
| Keycloak | `tenant_id` (a mapper) | `realm_access.roles` | the client that an audience mapper names |
| the local stack | `tenant_id` | `roles` | `aetherlink` |

Cognito puts custom attributes into ID tokens; for access tokens, add the tenant in a pre token generation trigger.

The issuer is asked for its keys once, then when they are an hour old (`OIDC_KEYS_MAX_AGE_SECONDS`) or when a token
names an unknown one, at most every 30 seconds (`OIDC_KEYS_REFRESH_SECONDS`). While it is down, the last keys are used.

On one machine, `make token ROLE=ops TENANT=<uuid>` signs in at the local issuer and prints a token;
`OIDC_ENABLED=false`, on stage local alone, believes the headers `X-Tenant-Id` and `X-Roles` instead.

## What is answered to those who are kept out

| status | `code` | what to do |
| --- | --- | --- |
| 401 | `unauthenticated` | Send a token. |
| 401 | `token-expired`, `token-untrusted`, `token-early` | Sign in again; check the clocks. |
| 401 | `token-malformed`, `token-incomplete`, `token-foreign`, `token-too-large` | Ask for a token for this API. |
| 403 | `role-missing` | Ask whoever runs the sign-in for one of the roles that the answer names. |
| 403 | `tenant-missing` | The token names no tenant: have the claim added. |
| 403 | `tenant-mismatch` | `X-Tenant-Id` is not the token's tenant: leave the header out. |
| 503 | `issuer-unavailable` | The issuer never answered: come back after `Retry-After`. |

Each 401 and 403 is logged as `access.refused` with the reason, never with the token, and counted in
`access_unauthenticated_total` and `access_forbidden_total`. API Gateway hands `WWW-Authenticate` on as
`x-amzn-remapped-www-authenticate`.

## Tenants

Callers see and change their own tenant alone; what belongs to another does not exist (404). The database enforces it a
second time: row level security, on connections that know one tenant for one transaction. Operators see their own
tenant's part of the outbox; see [decision 4](decisions/0004-operators-and-tenants.md).
"""


def page() -> str:
    """Return the page."""
    rows = []
    for (method, path), rule in RULES.items():
        mark = "system" if isinstance(rule, System) else "✓"
        cells = [mark if not isinstance(rule, str) and role in rule else "" for role in Role]
        last = (
            {PUBLIC: "✓", OWN_CREDENTIAL: "with a proof of its own"}.get(rule, "")
            if isinstance(rule, str)
            else ""
        )
        rows.append(f"| {method} | `{path}` | {' | '.join([*cells, last])} |")
    return PAGE.format(
        roles=" | ".join(Role), rules=" | ".join(["---"] * len(Role)), rows="\n".join(rows)
    )
