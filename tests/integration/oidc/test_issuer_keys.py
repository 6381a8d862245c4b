"""The issuer's keys: cached, refreshed at a bounded rate, and ignored where unusable."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from chalicelib.shared.errors import Unauthenticated, Unavailable
from tests.integration.oidc.sign_in import MAX_AGE_SECONDS, REFRESH_SECONDS, SignIn
from tests.issuer import ec_key, jwk, rsa_key


def test_new_keys_are_fetched_and_withdrawn_ones_are_forgotten(sign_in: SignIn) -> None:
    old = sign_in.issuer.token()
    sign_in(old)
    sign_in.issuer.published = [jwk(rsa_key(1), "rsa-2")]
    new = sign_in.issuer.token(rsa_key(1), {"kid": "rsa-2"})
    sign_in.refuses(new, code="token-untrusted")
    sign_in.clock.seconds += REFRESH_SECONDS
    assert sign_in(new).subject == "ada"
    assert sign_in.issuer.key_calls == 2
    sign_in.refuses(old, code="token-untrusted")


def test_unknown_keys_cause_calls_to_the_issuer_at_a_bounded_rate(sign_in: SignIn) -> None:
    sign_in(sign_in.issuer.token())
    for _ in range(3):
        sign_in.clock.seconds += REFRESH_SECONDS
        for number in range(20):
            sign_in.refuses(sign_in.issuer.token(header={"kid": f"made-up-{number}"}))
    assert sign_in.issuer.key_calls == 4


def test_old_keys_are_fetched_again_so_that_a_withdrawn_one_stops_working(
    sign_in: SignIn,
) -> None:
    sign_in(sign_in.issuer.token())
    sign_in.issuer.published = [jwk(ec_key(), "ec-1")]
    sign_in.clock.seconds += MAX_AGE_SECONDS - 1
    sign_in(sign_in.issuer.token())
    sign_in.clock.seconds += 1
    sign_in.refuses(sign_in.issuer.token())
    assert sign_in(sign_in.issuer.token(ec_key())).subject == "ada"


@pytest.mark.parametrize("up", [True, False])
def test_concurrent_requests_call_the_issuer_once(sign_in: SignIn, up: bool) -> None:
    sign_in.issuer.gate.clear()
    sign_in.issuer.status = 200 if up else 500
    started = threading.Barrier(16, action=lambda: None)
    token = sign_in.issuer.token()

    def call() -> str:
        started.wait()
        try:
            return sign_in(token).subject
        except Unavailable as problem:
            return problem.code

    with ThreadPoolExecutor(16) as pool:
        calls = [pool.submit(call) for _ in range(16)]
        while not sign_in.issuer.calls:
            time.sleep(0.005)
        sign_in.issuer.gate.set()
        results = {call.result() for call in calls}
    assert results == ({"ada"} if up else {"issuer-unavailable"})
    assert sign_in.issuer.calls.count("/.well-known/openid-configuration") == 1
    assert sign_in.issuer.key_calls == (1 if up else 0)


def test_known_keys_work_while_another_thread_fetches(sign_in: SignIn) -> None:
    sign_in(sign_in.issuer.token())
    sign_in.clock.seconds += MAX_AGE_SECONDS
    sign_in.issuer.gate.clear()
    calls = len(sign_in.issuer.calls)
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(sign_in, sign_in.issuer.token(header={"kid": "unknown"}))
        while len(sign_in.issuer.calls) == calls:
            time.sleep(0.005)
        assert sign_in(sign_in.issuer.token()).subject == "ada"
        sign_in.issuer.gate.set()
        with pytest.raises(Unauthenticated):
            other.result()


def test_keys_with_another_purpose_are_ignored(sign_in: SignIn) -> None:
    weak = rsa_key(2, 1_024)
    good = rsa_key()
    sign_in.issuer.published = [
        jwk(good, "enc", use="enc"),
        jwk(good, "wrap", key_ops=["wrapKey"]),
        jwk(good, "pss", alg="PS256"),
        jwk(good, "curved", crv=["P-256"]),
        jwk(weak, "weak"),
        {"kty": "RSA", "kid": "broken", "n": "!", "e": []},
        {"kty": ["RSA"], "kid": "typed"},
        {**jwk(good, "nameless"), "kid": None},
        jwk(
            good,
            "good",
            alg="RS256",
            key_ops=["verify"],
            x5u="https://elsewhere.example.test",
        ),
    ]
    for kid in ("enc", "wrap", "pss", "curved", "broken", "typed", "nameless"):
        sign_in.refuses(sign_in.issuer.token(header={"kid": kid}), code="token-untrusted")
    sign_in.refuses(sign_in.issuer.token(weak, {"kid": "weak"}), code="token-untrusted")
    assert sign_in(sign_in.issuer.token(header={"kid": "good"})).subject == "ada"


def test_of_two_keys_under_one_id_neither_is_used(sign_in: SignIn) -> None:
    sign_in.issuer.published = [
        jwk(rsa_key(), "rsa-1"),
        jwk(rsa_key(1), "rsa-1"),
        jwk(ec_key(), "ec-1"),
    ]
    for key in (rsa_key(), rsa_key(1)):
        sign_in.refuses(sign_in.issuer.token(key), code="token-untrusted")
    assert sign_in(sign_in.issuer.token(ec_key())).subject == "ada"


def test_a_point_off_the_curve_does_not_spoil_the_other_keys(sign_in: SignIn) -> None:
    off_curve = {**jwk(ec_key(), "off"), "x": jwk(ec_key(1), "")["x"]}
    sign_in.issuer.published = [off_curve, jwk(rsa_key(), "rsa-1")]
    assert sign_in(sign_in.issuer.token()).subject == "ada"
    sign_in.refuses(sign_in.issuer.token(ec_key(), {"kid": "off"}), code="token-untrusted")


def test_the_address_of_the_keys_can_be_configured(sign_in: SignIn) -> None:
    sign_in.issuer.metadata = {}
    sign_in.configure(jwks_url=f"{sign_in.issuer.url}/keys")
    assert sign_in(sign_in.issuer.token()).subject == "ada"
    assert sign_in.issuer.calls == ["/keys"]


@pytest.mark.parametrize("uri", ["", "file:///etc/passwd", "ftp://x/keys", 7, None])
def test_metadata_with_a_bad_address_is_not_followed(sign_in: SignIn, uri: Any) -> None:
    sign_in.issuer.metadata["jwks_uri"] = uri
    sign_in.refuses(sign_in.issuer.token(), Unavailable)
