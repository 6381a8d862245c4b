"""Tokens of an attacker, each with the code of its refusal."""

import json
import time
from collections.abc import Callable
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.issuer import AUDIENCE, Issuer, ec_key, encoded, jwk, rsa_key, signed


def _public_pem() -> bytes:
    return rsa_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _hmac(issuer: Issuer, secret: bytes, **header: str) -> str:
    stated = {"typ": "JWT", "alg": "HS256", "kid": "rsa-1", **header}
    head = f"{encoded(stated)}.{encoded(issuer.claims())}"
    return f"{head}.{encoded(jwt.get_algorithm_by_name('HS256').sign(head.encode(), secret))}"


def _with_duplicate(issuer: Issuer, name: str, value: str) -> str:
    payload = json.dumps(issuer.claims())[:-1] + f', "{name}": {value}}}'
    return signed({"alg": "RS256", "kid": "rsa-1"}, payload.encode(), rsa_key())


def _resigned(token: str, change: Callable[[bytes], bytes]) -> str:
    """Return `token` with its signature changed."""
    head, _, signature = token.rpartition(".")
    return f"{head}.{encoded(change(jwt.utils.base64url_decode(signature)))}"


def _as_der(signature: bytes) -> bytes:
    half = len(signature) // 2
    return encode_dss_signature(
        int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
    )


def _with_spare_bits(token: str) -> str:
    """Return `token` in another spelling: its last character has bits that decode to nothing."""
    return token[:-1] + {"A": "B", "Q": "R", "g": "h", "w": "x"}[token[-1]]


def seconds_from_now(seconds: int) -> int:
    return int(time.time()) + seconds


HOSTILE_TOKENS: dict[str, tuple[str, Callable[[Issuer], str]]] = {
    "no algorithm": (
        "token-untrusted",
        lambda i: f"{encoded({'alg': 'none'})}.{encoded(i.claims())}.AA",
    ),
    "no algorithm, in capitals": (
        "token-untrusted",
        lambda i: f"{encoded({'alg': 'NONE', 'kid': 'rsa-1'})}.{encoded(i.claims())}.AA",
    ),
    "no signature": ("token-malformed", lambda i: i.token().rpartition(".")[0] + "."),
    "two parts": ("token-malformed", lambda i: i.token().rpartition(".")[0]),
    "five parts": ("token-malformed", lambda i: i.token() + ".AA.AA"),
    "HMAC with the public key": ("token-untrusted", lambda i: _hmac(i, _public_pem())),
    "HMAC with the published key": (
        "token-untrusted",
        lambda i: _hmac(i, json.dumps(i.published[0]).encode()),
    ),
    "HMAC presented as RS256": (
        "token-untrusted",
        lambda i: _hmac(i, _public_pem(), alg="RS256"),
    ),
    "another key with a known id": ("token-untrusted", lambda i: i.token(rsa_key(1))),
    "an unknown key": ("token-untrusted", lambda i: i.token(header={"kid": "rsa-9"})),
    "no key id": ("token-untrusted", lambda i: i.token(header={"kid": None})),
    "a numeric key id": ("token-untrusted", lambda i: i.token(header={"kid": 1})),
    "a list as the key id": (
        "token-untrusted",
        lambda i: i.token(header={"kid": ["rsa-1"]}),
    ),
    "a path as the key id": (
        "token-untrusted",
        lambda i: i.token(header={"kid": "../../../../dev/null"}),
    ),
    "SQL as the key id": (
        "token-untrusted",
        lambda i: i.token(header={"kid": "x' UNION SELECT 'key'--"}),
    ),
    "an embedded key": (
        "token-untrusted",
        lambda i: i.token(rsa_key(1), {"jwk": jwk(rsa_key(1), "rsa-1")}),
    ),
    "an embedded key with its own id": (
        "token-untrusted",
        lambda i: i.token(rsa_key(1), {"kid": "mine", "jwk": jwk(rsa_key(1), "mine")}),
    ),
    "keys at another address": (
        "token-untrusted",
        lambda i: i.token(rsa_key(1), {"jku": f"{i.url}/theirs", "kid": "mine"}),
    ),
    "a certificate at another address": (
        "token-untrusted",
        lambda i: i.token(rsa_key(1), {"x5u": f"{i.url}/theirs"}),
    ),
    "RSA presented as ES256": ("token-untrusted", lambda i: i.token(header={"alg": "ES256"})),
    "the wrong type of key": (
        "token-untrusted",
        lambda i: i.token(ec_key(), {"kid": "rsa-1"}),
    ),
    "the key id of another type": (
        "token-untrusted",
        lambda i: i.token(rsa_key(), {"kid": "ec-1"}),
    ),
    "RS384": ("token-untrusted", lambda i: i.token(header={"alg": "RS384"})),
    "PS256": ("token-untrusted", lambda i: i.token(header={"alg": "PS256"})),
    "a list of algorithms": (
        "token-untrusted",
        lambda i: i.token(header={"alg": ["RS256"]}),
    ),
    "a critical extension": (
        "token-malformed",
        lambda i: i.token(header={"crit": ["b64"], "b64": False}),
    ),
    "an unencoded payload": ("token-malformed", lambda i: i.token(header={"b64": False})),
    "another issuer": ("token-foreign", lambda i: i.token(iss="https://evil.example.test")),
    "our issuer with a slash": ("token-foreign", lambda i: i.token(iss=i.url + "/")),
    "a list of issuers": ("token-foreign", lambda i: i.token(iss=[i.url])),
    "no issuer": ("token-incomplete", lambda i: i.token(iss=None)),
    "another audience": ("token-foreign", lambda i: i.token(aud="billing")),
    "other audiences": ("token-foreign", lambda i: i.token(aud=["billing", "mail"])),
    "no audience": ("token-foreign", lambda i: i.token(aud=None)),
    "an object as the audience": ("token-foreign", lambda i: i.token(aud={AUDIENCE: 1})),
    "a client id instead of an audience": (
        "token-foreign",
        lambda i: i.token(aud=None, client_id=AUDIENCE),
    ),
    "expired": ("token-expired", lambda i: i.token(exp=seconds_from_now(-3_600))),
    "no expiry": ("token-incomplete", lambda i: i.token(exp=None)),
    "an expiry in words": ("token-malformed", lambda i: i.token(exp="tomorrow")),
    "an expiry in quotes": ("token-malformed", lambda i: i.token(exp=str(seconds_from_now(60)))),
    "not yet valid": ("token-early", lambda i: i.token(nbf=seconds_from_now(3_600))),
    "issued in the future": ("token-early", lambda i: i.token(iat=seconds_from_now(3_600))),
    "not before infinity": ("token-malformed", lambda i: _with_duplicate(i, "nbf", "1e999")),
    "not before NaN": ("token-malformed", lambda i: _with_duplicate(i, "nbf", "NaN")),
    "no subject": ("token-incomplete", lambda i: i.token(sub=None)),
    "an empty name": ("token-incomplete", lambda i: i.token(sub="")),
    "a name with NUL": ("token-incomplete", lambda i: i.token(sub="a\x00")),
    "a numeric name": ("token-malformed", lambda i: i.token(sub=7)),
    "a name that is too long": ("token-incomplete", lambda i: i.token(sub="a" * 256)),
    "two tenants": (
        "token-malformed",
        lambda i: _with_duplicate(i, "tenant_id", f'"{uuid4()}"'),
    ),
    "roles stated twice": ("token-malformed", lambda i: _with_duplicate(i, "roles", '["admin"]')),
    "two algorithms": (
        "token-malformed",
        lambda i: signed(b'{"alg": "none", "kid": "rsa-1", "alg": "RS256"}', i.claims(), rsa_key()),
    ),
    "a payload that is a list": (
        "token-malformed",
        lambda _: signed({"alg": "RS256", "kid": "rsa-1"}, [1], rsa_key()),
    ),
    "a payload that is not JSON": (
        "token-malformed",
        lambda _: signed({"alg": "RS256", "kid": "rsa-1"}, b"{" * 3_000, rsa_key()),
    ),
    "a deeply nested header": (
        "token-malformed",
        lambda i: f"{encoded(b'[' * 5_000)}.{encoded(i.claims())}.AA",
    ),
    "huge": ("token-too-large", lambda i: i.token(padding="x" * 100_000)),
    "truncated": ("token-untrusted", lambda i: i.token()[:-10]),
    "a signature with bits left over": ("token-malformed", lambda i: _with_spare_bits(i.token())),
    "a padded signature": ("token-malformed", lambda i: i.token() + "=="),
    "a signature of zeros": (
        "token-untrusted",
        lambda i: _resigned(i.token(ec_key()), lambda _: bytes(64)),
    ),
    "a signature of zeros for RSA": (
        "token-untrusted",
        lambda i: _resigned(i.token(), lambda signature: bytes(len(signature))),
    ),
    "a truncated EC signature": (
        "token-untrusted",
        lambda i: _resigned(i.token(ec_key()), lambda signature: signature[:-1]),
    ),
    "an EC signature with a byte more": (
        "token-untrusted",
        lambda i: _resigned(i.token(ec_key()), lambda signature: signature + b"\0"),
    ),
    "an EC signature in DER": (
        "token-untrusted",
        lambda i: _resigned(i.token(ec_key()), _as_der),
    ),
    "an RSA signature with a zero before it": (
        "token-untrusted",
        lambda i: _resigned(i.token(), lambda signature: b"\0" + signature),
    ),
    "ES384": ("token-untrusted", lambda i: i.token(ec_key(), {"alg": "ES384"})),
    "EdDSA": ("token-untrusted", lambda i: i.token(header={"alg": "EdDSA"})),
    "the algorithm in lower case": ("token-untrusted", lambda i: i.token(header={"alg": "rs256"})),
    "a certificate in the header": (
        "token-untrusted",
        lambda i: i.token(rsa_key(1), {"x5c": ["MIIB"], "kid": "mine"}),
    ),
    "an empty list of critical extensions": (
        "token-malformed",
        lambda i: i.token(header={"crit": []}),
    ),
    "the signature of another payload": (
        "token-untrusted",
        lambda i: ".".join(
            (
                i.token().split(".")[0],
                encoded(i.claims(roles=["admin"])),
                i.token(nonce=1).split(".")[2],
            )
        ),
    ),
}
