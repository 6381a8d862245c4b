"""Tokens of an attacker are refused, and cost the issuer nothing."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.bootstrap import container
from chalicelib.security.identity import Role
from chalicelib.shared.errors import Forbidden, Unauthenticated
from tests.conftest import Compose
from tests.integration.oidc.hostile_tokens import HOSTILE_TOKENS
from tests.integration.oidc.sign_in import SignIn
from tests.issuer import TENANT, Issuer, encoded, rsa_key, running, signed


@pytest.mark.parametrize("name", HOSTILE_TOKENS)
def test_a_hostile_token_is_refused_without_another_call_to_the_issuer(
    sign_in: SignIn, name: str
) -> None:
    code, make = HOSTILE_TOKENS[name]
    sign_in(sign_in.issuer.token())
    calls = len(sign_in.issuer.calls)
    for _ in range(5):
        sign_in.refuses(make(sign_in.issuer), code=code)
    assert len(sign_in.issuer.calls) == calls, "an issuer is not called again within the interval"
    assert "/theirs" not in sign_in.issuer.calls
    assert sign_in(sign_in.issuer.token()).subject == "ada"


@pytest.mark.parametrize("position", range(0, 600, 37))
def test_a_token_with_one_changed_character_is_refused(sign_in: SignIn, position: int) -> None:
    token = sign_in.issuer.token()
    at = position % len(token)
    other = "A" if token[at] != "A" else "Q"
    sign_in.refuses(token[:at] + other + token[at + 1 :])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


NAMES = st.sampled_from(
    [
        "iss",
        "aud",
        "exp",
        "nbf",
        "iat",
        "sub",
        "jti",
        "tenant_id",
        "roles",
        "token_use",
        "client_id",
    ]
)


@pytest.fixture(scope="module")
def shared_issuer() -> Iterator[Issuer]:
    with running() as issuer:
        yield issuer


def _random_token(issuer: Issuer, data: st.DataObject) -> tuple[str, bool]:
    """Return a random token, and whether its signature may be valid."""
    match data.draw(st.sampled_from(["text", "parts", "header", "claims"])):
        case "text":
            return data.draw(st.text(max_size=200)), False
        case "parts":
            count = data.draw(st.integers(0, 5))
            parts = [encoded(data.draw(st.binary(max_size=80))) for _ in range(count)]
            return ".".join(parts), False
        case "header":
            known = st.sampled_from(["alg", "kid", "typ", "crit", "jwk", "cty", "zip"])
            header = data.draw(st.dictionaries(known | st.text(max_size=5), JSON))
            return signed(header, issuer.claims(), rsa_key()), True
        case _:
            claims = data.draw(st.dictionaries(NAMES, JSON, min_size=1))
            return issuer.token(None, None, **claims), True


@settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_random_input_never_crashes_or_grants_more_than_the_token(
    shared_issuer: Issuer, composed: Compose, data: st.DataObject
) -> None:
    authenticator = _authenticator(shared_issuer, composed)
    token, is_signed = _random_token(shared_issuer, data)
    try:
        principal = authenticator.authenticate({"authorization": f"Bearer {token}"})
    except (Unauthenticated, Forbidden):
        return
    assert is_signed
    assert isinstance(principal.tenant_id, UUID)
    assert principal.tenant_id == TENANT
    assert principal.roles <= {Role.SALES}


_authenticators: dict[str, Any] = {}


def _authenticator(issuer: Issuer, composed: Compose) -> Any:
    """Return one authenticator for all examples, so that the keys are fetched once."""
    if issuer.url not in _authenticators:
        composed(issuer.settings())
        _authenticators[issuer.url] = container().access.authenticator
    return _authenticators[issuer.url]
