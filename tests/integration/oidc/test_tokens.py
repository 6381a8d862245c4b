"""Valid tokens: which claims identify the caller, the tenant and the roles."""

from typing import Any
from uuid import uuid4

import pytest

from chalicelib.security.identity import Principal, Role
from chalicelib.shared.errors import Forbidden, Unauthenticated
from tests.integration.oidc.hostile_tokens import seconds_from_now
from tests.integration.oidc.sign_in import SignIn
from tests.issuer import AUDIENCE, TENANT, ec_key, rsa_key


@pytest.mark.parametrize("key", [rsa_key(), ec_key()], ids=["RS256", "ES256"])
def test_a_valid_token_identifies_the_caller_with_one_fetch_of_the_keys(
    sign_in: SignIn, key: Any
) -> None:
    for _ in range(50):
        assert sign_in(sign_in.issuer.token(key)) == Principal(
            "ada", TENANT, frozenset({Role.SALES})
        )
    assert sign_in.issuer.calls == ["/.well-known/openid-configuration", "/keys"]


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer "])
def test_the_scheme_is_not_case_sensitive(sign_in: SignIn, scheme: str) -> None:
    assert (
        sign_in.authenticator.authenticate(
            {"authorization": f"{scheme} {sign_in.issuer.token()}"}
        ).subject
        == "ada"
    )


@pytest.mark.parametrize(
    "stated",
    [None, "", "Bearer", "Bearer ", "Basic YTpi", "Token x", "Bearer a b", "Bearer x,y"],
)
def test_a_request_without_a_token_is_refused(sign_in: SignIn, stated: str | None) -> None:
    with pytest.raises(Unauthenticated) as refused:
        sign_in.authenticator.authenticate({} if stated is None else {"authorization": stated})
    assert "error=" in refused.value.headers["WWW-Authenticate"]
    assert sign_in.issuer.calls == []


@pytest.mark.parametrize(
    "stated",
    [None, "", 7, "0197a3c0", ["x"], {"id": str(TENANT)}, TENANT.hex, f" {TENANT}"],
)
def test_a_token_without_a_tenant_is_refused(sign_in: SignIn, stated: Any) -> None:
    sign_in.refuses(sign_in.issuer.token(tenant_id=stated), Forbidden, "tenant-missing")


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ("admin", {Role.ADMIN}),
        ("sales ops", {Role.SALES, Role.OPS}),
        ("sales, king,ops", {Role.SALES, Role.OPS}),
        (["ops", "king", 7, None, ["admin"]], {Role.OPS}),
        (["Admin"], set()),
        (["sales admin"], set()),
        ("sales\u2028admin", set()),
        ("sales\u00a0admin", set()),
        ("sales\tadmin ops", {Role.OPS}),
        ("sales\nadmin", set()),
        ("sales\uff0cadmin", set()),
        ("\u2003admin", set()),
        ("administrator", set()),
        ([], set()),
        ({"admin": True}, set()),
        (True, set()),
        (None, set()),
    ],
)
def test_known_roles_are_granted_and_others_ignored(
    sign_in: SignIn, stated: Any, expected: set[Role]
) -> None:
    assert sign_in(sign_in.issuer.token(roles=stated)).roles == expected


def test_the_tenant_header_must_match_the_token(sign_in: SignIn) -> None:
    token = sign_in.issuer.token()
    assert sign_in(token, **{"x-tenant-id": str(TENANT).upper()}).tenant_id == TENANT
    for other in (str(uuid4()), "", "x", f"{TENANT},{uuid4()}", TENANT.hex):
        with pytest.raises(Forbidden) as refused:
            sign_in(token, **{"x-tenant-id": other})
        assert refused.value.code == "tenant-mismatch"


SHAPES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "Auth0": (
        {
            "tenant_claim": "https://aetherlink/tenant_id",
            "roles_claim": "https://aetherlink/roles",
        },
        {
            "aud": [AUDIENCE, "https://issuer.example.test/userinfo"],
            "https://aetherlink/tenant_id": str(TENANT),
            "https://aetherlink/roles": ["ops"],
            "scope": "openid profile",
        },
    ),
    "Keycloak": (
        {"tenant_claim": "organization.id", "roles_claim": "realm_access.roles"},
        {
            "aud": ["account", AUDIENCE],
            "organization": {"id": str(TENANT)},
            "realm_access": {"roles": ["offline_access", "ops"]},
            "azp": "console",
        },
    ),
    "Cognito, access": (
        {"tenant_claim": "custom:tenant_id", "roles_claim": "cognito:groups"},
        {
            "aud": None,
            "token_use": "access",
            "client_id": AUDIENCE,
            "custom:tenant_id": str(TENANT),
            "cognito:groups": ["ops"],
        },
    ),
    "Cognito, id": (
        {"tenant_claim": "custom:tenant_id", "roles_claim": "cognito:groups"},
        {"token_use": "id", "custom:tenant_id": str(TENANT), "cognito:groups": ["ops"]},
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_tokens_of_well_known_issuers_are_accepted(sign_in: SignIn, shape: str) -> None:
    configured, claims = SHAPES[shape]
    sign_in.configure(**configured)
    # The claims with the default names must be ignored.
    defaults = {"tenant_id": str(uuid4()), "roles": ["admin"]}
    assert sign_in(sign_in.issuer.token(**{**defaults, **claims})) == Principal(
        "ada", TENANT, frozenset({Role.OPS})
    )


def test_clocks_may_differ_by_the_allowed_skew_only(sign_in: SignIn) -> None:
    sign_in.configure(clock_skew_seconds=30)
    assert sign_in(
        sign_in.issuer.token(
            exp=seconds_from_now(-20), nbf=seconds_from_now(20), iat=seconds_from_now(20)
        )
    )
    sign_in.refuses(sign_in.issuer.token(exp=seconds_from_now(-40)), code="token-expired")
    sign_in.refuses(sign_in.issuer.token(nbf=seconds_from_now(45)), code="token-early")
