"""An OpenID Connect issuer for tests: real HTTP, real keys, and every way of going wrong."""

import json
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from chalicelib.config import Settings

AUDIENCE = "aetherlink"
TENANT = UUID("0197a3c0-5f3e-7cc4-9d0a-2b8b6f0f1e11")
ALGORITHM = {rsa.RSAPrivateKey: "RS256", ec.EllipticCurvePrivateKey: "ES256"}


@cache
def rsa_key(number: int = 0, bits: int = 2_048) -> rsa.RSAPrivateKey:
    """Return a key, the same for the same number."""
    return rsa.generate_private_key(65_537, bits)


@cache
def ec_key(number: int = 0) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def jwk(key: Any, kid: str, **more: Any) -> dict[str, Any]:
    """Return the public half of `key` as it is published."""
    kind = (
        jwt.algorithms.RSAAlgorithm
        if isinstance(key, rsa.RSAPrivateKey)
        else jwt.algorithms.ECAlgorithm
    )
    return {**kind.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig", **more}


def encoded(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(raw).decode().rstrip("=")


def signed(header: Any, payload: Any, key: Any) -> str:
    """Return a token of exactly these parts; dicts are written as JSON, bytes stay as they are."""
    head = f"{encoded(header)}.{encoded(payload)}"
    kind = "RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256"
    signature = jwt.get_algorithm_by_name(kind).sign(head.encode(), key)
    return f"{head}.{encoded(signature)}"


class Issuer:
    """Publishes `published`, counts who asks, and is slow, down or wrong when told so."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.published: list[dict[str, Any]] = [
            jwk(rsa_key(), "rsa-1"),
            jwk(ec_key(), "ec-1"),
        ]
        self.metadata: dict[str, Any] = {"issuer": url, "jwks_uri": f"{url}/keys"}
        self.calls: list[str] = []
        self.status = 200
        self.body: bytes | None = None
        self.gate = threading.Event()
        self.gate.set()

    @property
    def key_calls(self) -> int:
        return self.calls.count("/keys")

    def settings(self, **more: Any) -> Settings:
        """Return settings that trust this issuer; `more` is as `Settings.changed` has it."""
        fixed = {"enabled": True, "issuer": self.url, "audience": (AUDIENCE,)}
        return Settings().changed(**{**more, "oidc": {**fixed, **more.get("oidc", {})}})

    def claims(self, **more: Any) -> dict[str, Any]:
        """Return good claims; a value of None leaves one out."""
        now = int(time.time())
        good = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "ada",
            "iat": now,
            "exp": now + 300,
            "tenant_id": str(TENANT),
            "roles": ["sales"],
        }
        return {name: value for name, value in {**good, **more}.items() if value is not None}

    def token(self, key: Any = None, header: Mapping[str, Any] | None = None, **claims: Any) -> str:
        """Return a token that is good but for what is given."""
        chosen = key or rsa_key()
        kind, kid = (
            ("RS256", "rsa-1") if isinstance(chosen, rsa.RSAPrivateKey) else ("ES256", "ec-1")
        )
        return signed(
            {"typ": "JWT", "alg": kind, "kid": kid, **(header or {})},
            self.claims(**claims),
            chosen,
        )


@contextmanager
def running() -> Iterator[Issuer]:
    """Run an issuer on a free port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.calls.append(self.path)
            issuer.gate.wait(10)
            documents = {
                "/.well-known/openid-configuration": issuer.metadata,
                "/keys": {"keys": issuer.published},
            }
            body = (
                json.dumps(documents.get(self.path, {})).encode()
                if issuer.body is None
                else issuer.body
            )
            self.send_response(issuer.status if self.path in documents else 404)
            if issuer.status == 302:
                self.send_header("Location", f"{issuer.url}/elsewhere")
            self.send_header("Content-Length", str(len(body)))
            with suppress(ConnectionError):  # a caller that waits no longer
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    issuer = Issuer(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield issuer
    finally:
        issuer.gate.set()
        server.shutdown()
        server.server_close()
        thread.join()
