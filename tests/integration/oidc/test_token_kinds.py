"""Tokens that the issuer signed for another purpose are refused (RFC 8725, section 3.11)."""

from typing import Any

import pytest

from chalicelib.shared.errors import Unauthenticated
from tests.conftest import Compose
from tests.integration.oidc.sign_in import SignIn
from tests.issuer import AUDIENCE, Issuer, rsa_key, signed

LOGOUT_EVENT: dict[str, Any] = {"http://schemas.openid.net/event/backchannel-logout": {}}


@pytest.mark.parametrize(
    "stated", ["JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+jwt"]
)
def test_an_access_token_may_state_its_type(sign_in: SignIn, stated: str) -> None:
    assert sign_in(sign_in.issuer.token(header={"typ": stated})).subject == "ada"


def test_a_token_need_not_state_a_type(issuer: Issuer, sign_in: SignIn) -> None:
    token = signed({"alg": "RS256", "kid": "rsa-1"}, issuer.claims(), rsa_key())
    assert sign_in(token).subject == "ada"


@pytest.mark.parametrize(
    "stated",
    [
        "logout+jwt",
        "LOGOUT+JWT",
        "application/logout+jwt",
        "secevent+jwt",
        "dpop+jwt",
        "Refresh",
        "refresh+jwt",
        "token-introspection+jwt",
        "oauth-authz-req+jwt",
        "entity-statement+jwt",
        "kb+jwt",
        "dc+sd-jwt",
        "JOSE",
        "id+jwt",
        "at+jwt;v=1",
        " JWT",
        "",
        None,
        7,
        ["JWT"],
    ],
)
def test_a_token_whose_header_states_another_type_is_refused(sign_in: SignIn, stated: Any) -> None:
    sign_in.refuses(sign_in.issuer.token(header={"typ": stated}), code="token-foreign")


FOREIGN: dict[str, dict[str, Any]] = {
    "a logout token without a type": {"events": LOGOUT_EVENT, "sid": "1"},
    "a security event": {"events": {"https://schemas.openid.net/secevent/risc/x": {}}},
    "no events in particular": {"events": {}},
    "bound to a DPoP key": {"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}},
    "bound to a certificate": {"cnf": {"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}},
    "bound to nothing": {"cnf": {}},
    "a DPoP proof": {"htm": "POST", "htu": "https://crm.example.test/api"},
    "an introspection response": {"token_introspection": {"active": True}},
    "Keycloak, refresh": {"typ": "Refresh", "scope": "openid"},
    "Keycloak, offline": {"typ": "Offline", "scope": "openid offline_access"},
    "Keycloak, logout": {"typ": "Logout"},
    "Keycloak, registration": {"typ": "RegistrationAccessToken"},
    "Keycloak, DPoP": {"typ": "DPoP"},
    "a type that is no text": {"typ": ["Bearer"]},
    "Cognito, refresh": {"token_use": "refresh"},
    "a use that is no text": {"token_use": 7},
    "refresh as the type of token": {"token_type": "refresh"},
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_token_whose_claims_are_of_another_kind_is_refused(sign_in: SignIn, name: str) -> None:
    sign_in.refuses(sign_in.issuer.token(**FOREIGN[name]), code="token-foreign")


ID_TOKENS: dict[str, dict[str, Any]] = {
    "Keycloak": {"typ": "ID", "azp": AUDIENCE, "sid": "1"},
    "Cognito": {"token_use": "id"},
    "with the hash of its access token": {"at_hash": "77QmUPtjPfzWtF2AnpK9RQ"},
    "with the hash of its code": {"c_hash": "LDktKdoQak3Pk0cnXxCltA", "scope": "openid"},
    "with the nonce of its request": {"nonce": "n-0S6_WzA2Mj"},
    "for the client that it was issued to": {"azp": AUDIENCE},
}
ACCESS_TOKENS: dict[str, dict[str, Any]] = {
    "plain": {},
    "Keycloak": {"typ": "Bearer", "azp": AUDIENCE, "nonce": "n"},
    "Cognito": {"aud": None, "token_use": "access", "client_id": AUDIENCE},
    "RFC 9068": {"client_id": "console", "scope": "crm"},
    "Auth0": {"azp": "console", "scope": "openid profile"},
    "with a nonce and scopes": {"nonce": "n", "scope": "openid"},
    "Entra ID": {"azp": AUDIENCE, "scp": "crm.read", "nonce": "n"},
}


@pytest.mark.parametrize("name", ID_TOKENS)
def test_id_tokens_are_accepted_on_stage_local_only_unless_a_setting_says_otherwise(
    issuer: Issuer, composed: Compose, name: str
) -> None:
    token = issuer.token(**ID_TOKENS[name])
    for stage, setting, accepted in (
        ("local", None, True),
        ("dev", None, False),
        ("prod", None, False),
        ("local", False, False),
        ("prod", True, True),
    ):
        container = composed(issuer.settings(stage=stage, oidc={"accept_id_tokens": setting}))
        authenticate = container.access.authenticator.authenticate
        headers = {"authorization": f"Bearer {token}"}
        if accepted:
            assert authenticate(headers).subject == "ada"
        else:
            with pytest.raises(Unauthenticated, match="ID token") as refused:
                authenticate(headers)
            assert refused.value.code == "token-foreign"


@pytest.mark.parametrize("name", ACCESS_TOKENS)
def test_access_tokens_are_accepted_where_id_tokens_are_not(sign_in: SignIn, name: str) -> None:
    sign_in.configure(accept_id_tokens=False)
    assert sign_in(sign_in.issuer.token(**ACCESS_TOKENS[name])).subject == "ada"
