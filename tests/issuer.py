"""An OpenID Connect issuer for tests: real HTTP, real keys, and every kind of failure."""

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
    """Return the public half of `key` as a JSON Web Key."""
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
    """Return a signed token with this header and payload: JSON values, or bytes as they are."""
    head = f"{encoded(header)}.{encoded(payload)}"
    kind = "RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256"
    signature = jwt.get_algorithm_by_name(kind).sign(head.encode(), key)
    return f"{head}.{encoded(signature)}"


class Issuer:
    """Publishes the keys `published`, records calls, and is slow, down or wrong on request."""

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
        self.wait_seconds = 0.0
        """How long each answer takes to begin."""
        self.pause_seconds = 0.0
        """How long the pause after each byte of an answer is."""
        self.gate = threading.Event()
        self.gate.set()

    @property
    def key_calls(self) -> int:
        return self.calls.count("/keys")

    def settings(self, **more: Any) -> Settings:
        """Return settings that trust this issuer, changed by `more` as in `Settings.changed`."""
        fixed = {"enabled": True, "issuer": self.url, "audience": (AUDIENCE,)}
        return Settings().changed(**{**more, "oidc": {**fixed, **more.get("oidc", {})}})

    def claims(self, **more: Any) -> dict[str, Any]:
        """Return valid claims, changed by `more`; a value of None removes a claim."""
        now = int(time.time())
        valid = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "ada",
            "iat": now,
            "exp": now + 300,
            "tenant_id": str(TENANT),
            "roles": ["sales"],
        }
        return {name: value for name, value in {**valid, **more}.items() if value is not None}

    def token(self, key: Any = None, header: Mapping[str, Any] | None = None, **claims: Any) -> str:
        """Return a valid token, changed by the arguments."""
        signing_key = key or rsa_key()
        is_rsa = isinstance(signing_key, rsa.RSAPrivateKey)
        stated = {
            "typ": "JWT",
            "alg": "RS256" if is_rsa else "ES256",
            "kid": "rsa-1" if is_rsa else "ec-1",
            **(header or {}),
        }
        return signed(stated, self.claims(**claims), signing_key)


@contextmanager
def running() -> Iterator[Issuer]:
    """Run an issuer on a free port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.calls.append(self.path)
            issuer.gate.wait(10)
            time.sleep(issuer.wait_seconds)
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
            with suppress(ConnectionError):  # the client no longer waits
                self.end_headers()
                if not issuer.pause_seconds:
                    self.wfile.write(body)
                    return
                for byte in body:
                    self.wfile.write(bytes([byte]))
                    time.sleep(issuer.pause_seconds)

        def log_message(self, *_: Any) -> None:
            """Log nothing."""

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
