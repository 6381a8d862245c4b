"""A key set: weak keys, keys with another purpose, and malformed keys are never used."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from chalicelib.adapters.oidc.key_set import MAX_KEYS, usable
from tests.issuer import ec_key, encoded, jwk, rsa_key

GOOD = jwk(ec_key(), "good")
PRIME_BITS = 1_024


def _number(value: int) -> str:
    return encoded(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _rsa(modulus: int | None = None, exponent: int = 65_537, **more: Any) -> dict[str, Any]:
    value = rsa_key().public_key().public_numbers().n if modulus is None else modulus
    return {"kty": "RSA", "kid": "bad", "n": _number(value), "e": _number(exponent), **more}


@cache
def _prime() -> int:
    return rsa_key().private_numbers().p


@cache
def _next_prime() -> int:
    """Return the first number after `_prime` that Fermat's test calls a prime."""
    number = _prime() + 2
    while pow(2, number - 1, number) != 1:
        number += 2
    return number


def _ec(**more: Any) -> dict[str, Any]:
    return {**jwk(ec_key(), "bad"), **more}


N = rsa_key().public_key().public_numbers().n
P384 = ec.generate_private_key(ec.SECP384R1()).public_key().public_numbers()
X = jwk(ec_key(), "bad")["x"]

BAD: dict[str, dict[str, Any]] = {
    "RSA with 1,024 bits": jwk(rsa_key(2, 1_024), "bad"),
    "RSA with 2,047 bits": _rsa(N >> 1 | 1),
    "RSA with too many bits": _rsa((1 << 20_000) + 1),
    "the exponent 1": _rsa(exponent=1),
    "the exponent 3": _rsa(exponent=3),
    "the exponent 17": _rsa(exponent=17),
    "an even exponent": _rsa(exponent=65_538),
    "a huge exponent": _rsa(exponent=(1 << 300) + 1),
    "an exponent of 0": _rsa(e="AA"),
    "an even modulus": _rsa(N + 1),
    "a modulus divisible by 3": _rsa(((1 << 2_048) // 3 | 1) * 3),
    "a modulus divisible by 65,521": _rsa(((1 << 2_060) // 65_521 | 1) * 65_521),
    "a modulus that is a square": _rsa(_prime() ** 2),
    "a modulus of two neighbouring primes": _rsa(_prime() * _next_prime()),
    "a modulus of 0": _rsa(n="AA"),
    "a modulus with leading zeros": _rsa(n=encoded(b"\0" + N.to_bytes(256, "big"))),
    "a modulus with padding": _rsa(n=_number(N) + "="),
    "a modulus that is no text": _rsa(n=N),
    "no modulus": {"kty": "RSA", "kid": "bad", "e": "AQAB"},
    "the private key too": _rsa(d=_number(65_537)),
    "a point off the curve": _ec(x=jwk(ec_key(1), "")["x"]),
    "the point at zero": _ec(x=encoded(bytes(32)), y=encoded(bytes(32))),
    "a short coordinate": _ec(x=encoded(bytes(31))),
    "a long coordinate": _ec(x=encoded(bytes(33))),
    "a point of another curve": _ec(
        x=encoded(P384.x.to_bytes(48, "big")), y=encoded(P384.y.to_bytes(48, "big"))
    ),
    "another curve": _ec(crv="P-384"),
    "a curve of a coin": _ec(crv="secp256k1"),
    "no curve": {name: value for name, value in _ec().items() if name != "crv"},
    "no y": {name: value for name, value in _ec().items() if name != "y"},
    "RSA that names a curve": _rsa(crv="P-256"),
    "a symmetric key": {"kty": "oct", "kid": "bad", "k": "c2VjcmV0"},
    "an Edwards key": {"kty": "OKP", "kid": "bad", "crv": "Ed25519", "x": X},
    "for encryption": _rsa(use="enc"),
    "a use that is no text": _rsa(use=["sig"]),
    "an operation of encryption": _rsa(key_ops=["encrypt"]),
    "unrelated operations": _rsa(key_ops=["verify", "wrapKey"]),
    "no operation": _rsa(key_ops=[]),
    "operations that are no texts": _rsa(key_ops=[["verify"], "verify"]),
    "operations as a text": _rsa(key_ops="verify"),
    "another algorithm": _rsa(alg="RS512"),
    "the algorithm of another type": _rsa(alg="ES256"),
    "an algorithm with a secret": _rsa(alg="HS256"),
    "no algorithm": _rsa(alg="none"),
    "an EC key for another algorithm": _ec(alg="ES384"),
    "an id that is no text": _rsa(kid=7),
    "no id": {name: value for name, value in _rsa().items() if name != "kid"},
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_key_is_left_out_and_the_others_are_used(name: str) -> None:
    assert set(usable({"keys": [BAD[name], GOOD]})) == {"good"}


def test_the_vectors_are_bad_for_the_stated_reason_alone() -> None:
    keys = usable({"keys": [_rsa(kid="rsa", use="sig", key_ops=["verify"], alg="RS256"), GOOD]})
    assert {kid: list(key) for kid, key in keys.items()} == {"rsa": ["RS256"], "good": ["ES256"]}


def _twice(*entries: Mapping[str, Any]) -> set[str]:
    return set(usable({"keys": [*({**entry, "kid": "twice"} for entry in entries), GOOD]}))


@pytest.mark.parametrize(
    "other",
    [
        jwk(rsa_key(1), ""),
        jwk(ec_key(1), ""),
        jwk(rsa_key(2, 1_024), ""),
        {**jwk(rsa_key(1), ""), "alg": "RS512"},
        {"kty": "oct", "k": "c2VjcmV0"},
    ],
    ids=["RSA", "EC", "a weak key", "another algorithm", "a secret"],
)
def test_keys_that_share_an_id_are_left_out(other: Mapping[str, Any]) -> None:
    first = jwk(rsa_key(), "")
    assert _twice(first, other) == _twice(other, first) == {"good"}


def test_a_key_that_is_listed_twice_is_one_key() -> None:
    key = jwk(rsa_key(), "")
    assert _twice(key, {**key, "alg": "RS256"}) == {"twice", "good"}


def test_a_key_for_encryption_may_share_an_id() -> None:
    assert _twice(jwk(rsa_key(), ""), {**jwk(rsa_key(1), ""), "use": "enc"}) == {"twice", "good"}


def test_an_id_is_ambiguous_however_late_its_second_key_is_listed() -> None:
    many = [jwk(ec_key(), f"key-{number}") for number in range(MAX_KEYS)]
    keys = usable({"keys": [*many, jwk(rsa_key(), "key-0")]})
    assert "key-0" not in keys
    assert len(keys) == MAX_KEYS - 1


@pytest.mark.parametrize("published", [{}, {"keys": None}, {"keys": {}}, {"keys": ["x", 7, None]}])
def test_a_set_without_usable_keys_is_an_error(published: Mapping[str, Any]) -> None:
    with pytest.raises(ValueError, match="no usable key"):
        usable(published)
