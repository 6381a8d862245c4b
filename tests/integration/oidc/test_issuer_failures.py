"""An issuer that is down or wrong: the last good keys stay in use."""

import time

import pytest

from chalicelib.adapters.oidc.keys import FIRST_RETRY_SECONDS
from chalicelib.shared.errors import Unavailable
from tests.integration.oidc.sign_in import MAX_AGE_SECONDS, SignIn
from tests.issuer import Issuer, jwk, rsa_key

FAILURES = [
    "errors",
    "created",
    "nonsense",
    "empty",
    "huge",
    "redirects",
    "slow",
    "dripping",
    "another issuer",
]
TIMEOUT_SECONDS = 0.3
GRACE_SECONDS = 1.5
"""How much later than its timeout a call may end on a busy machine."""


def _break_issuer(issuer: Issuer, failure: str) -> None:
    if failure == "errors":
        issuer.status = 500
    elif failure == "created":
        issuer.status = 201
    elif failure == "dripping":
        issuer.pause_seconds = TIMEOUT_SECONDS / 3
    elif failure == "nonsense":
        issuer.body = b"<html>"
    elif failure == "empty":
        issuer.published = [{"kty": "oct", "kid": "rsa-1", "k": "c2VjcmV0"}]
    elif failure == "huge":
        issuer.body = b" " * 300_000 + b"{}"
    elif failure == "redirects":
        issuer.status = 302
    elif failure == "slow":
        issuer.gate.clear()
    else:
        issuer.metadata = {
            "issuer": "https://evil.example.test",
            "jwks_uri": f"{issuer.url}/keys",
        }


def _repair_issuer(issuer: Issuer) -> None:
    issuer.status = 200
    issuer.body = None
    issuer.pause_seconds = 0
    issuer.metadata = {"issuer": issuer.url, "jwks_uri": f"{issuer.url}/keys"}
    issuer.gate.set()
    issuer.published = [jwk(rsa_key(), "rsa-1")]


@pytest.mark.parametrize("failure", FAILURES)
def test_the_last_good_keys_stay_in_use_while_the_issuer_fails(
    sign_in: SignIn, failure: str
) -> None:
    sign_in.configure(timeout_seconds=TIMEOUT_SECONDS)
    token = sign_in.issuer.token()
    sign_in(token)
    _break_issuer(sign_in.issuer, failure)
    sign_in.clock.seconds += MAX_AGE_SECONDS
    calls = len(sign_in.issuer.calls)
    for _ in range(20):
        assert sign_in(token).subject == "ada"
    assert len(sign_in.issuer.calls) - calls <= 2, "one attempt within the interval"
    assert "/elsewhere" not in sign_in.issuer.calls
    sign_in.refuses(sign_in.issuer.token(header={"kid": "unknown"}))


@pytest.mark.parametrize("failure", FAILURES)
def test_without_any_keys_a_request_is_a_503_with_retry_after(
    sign_in: SignIn, failure: str
) -> None:
    sign_in.configure(timeout_seconds=TIMEOUT_SECONDS)
    _break_issuer(sign_in.issuer, failure)
    for _ in range(5):
        with pytest.raises(Unavailable) as refused:
            sign_in(sign_in.issuer.token())
        assert (refused.value.code, refused.value.headers["Retry-After"]) == (
            "issuer-unavailable",
            "2",
        )
    assert len(sign_in.issuer.calls) <= 2
    _repair_issuer(sign_in.issuer)
    sign_in.clock.seconds += FIRST_RETRY_SECONDS
    assert sign_in(sign_in.issuer.token()).subject == "ada"


def test_a_dripping_issuer_is_given_up_at_the_timeout_in_total(sign_in: SignIn) -> None:
    sign_in.configure(timeout_seconds=TIMEOUT_SECONDS)
    _break_issuer(sign_in.issuer, "dripping")
    started = time.monotonic()
    sign_in.refuses(sign_in.issuer.token(), Unavailable, "issuer-unavailable")
    assert time.monotonic() - started < TIMEOUT_SECONDS + GRACE_SECONDS


def test_metadata_and_keys_share_one_timeout(sign_in: SignIn) -> None:
    """Each answer alone would be in time."""
    sign_in.configure(timeout_seconds=1.0)
    sign_in.issuer.wait_seconds = 0.7
    sign_in.refuses(sign_in.issuer.token(), Unavailable, "issuer-unavailable")
    assert sign_in.issuer.key_calls == 1
