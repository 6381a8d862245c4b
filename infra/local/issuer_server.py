"""The program of the local issuer: as much of OpenID Connect as signing in needs.

Discovery, keys, the authorization code flow with PKCE (RFC 7636), RS256. It checks no password:
the sign-in page asks for a role and a tenant, and a `login_hint` skips the page. Its key is kept,
so tokens outlive a restart.
"""

import html
import json
import secrets
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from chalicelib.security.identity import Role
from infra.local.identity import CLIENT, DEFAULT_TENANT

TOKEN_SECONDS = 8 * 3_600
CODE_SECONDS = 60.0
MAX_FORM_LENGTH = 10_000
MAX_VERIFIER_LENGTH = 128
LOOPBACK = ("127.0.0.1", "localhost", "::1")
PAGE = """<!doctype html><html lang="en">
<head><meta charset="utf-8"><title>Local sign-in</title></head>
<body><h1>Sign in as</h1><form>{hidden}
<p>{choices}</p><p><label>Tenant <input name="tenant_id" value="{tenant}" size="40"></label></p>
<p><button>Sign in</button></p></form></body></html>
"""


class Refused(Exception):
    """A request that the issuer refuses; the text is OAuth's error code."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What an authorization code stands for until it is redeemed."""

    claims: Mapping[str, Any]
    redirect_uri: str
    challenge: str
    until: float


class Provider:
    """The issuer itself, without HTTP."""

    def __init__(self, url: str, key_file: Path) -> None:
        """Be the issuer at `url`, with the key in `key_file`, made where it is missing."""
        self.url = url
        self._key = _key(key_file)
        public = jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        thumbprint = json.dumps(
            {name: public[name] for name in ("e", "kty", "n")}, separators=(",", ":")
        )
        self._kid = _encoded(sha256(thumbprint.encode()).digest())  # RFC 7638
        self.keys = {"keys": [{**public, "kid": self._kid, "use": "sig", "alg": "RS256"}]}
        self._grants: dict[str, Grant] = {}

    @property
    def metadata(self) -> dict[str, Any]:
        """The document of OpenID Connect Discovery."""
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none"],
            "scopes_supported": ["openid"],
        }

    def check(self, request: Mapping[str, str]) -> None:
        """Raise `Refused` where this issuer does not serve an authorization request."""
        redirect_host = urlsplit(request.get("redirect_uri", "")).hostname
        if request.get("client_id") != CLIENT or redirect_host not in LOOPBACK:
            raise Refused("unauthorized_client")
        if request.get("response_type") != "code":
            raise Refused("unsupported_response_type")
        if request.get("code_challenge_method") != "S256" or not request.get("code_challenge"):
            raise Refused("invalid_request")

    def authorize(self, request: Mapping[str, str]) -> str:
        """Return where to send the browser, with a code for the requested role and tenant."""
        self.check(request)
        try:
            role = Role(request.get("login_hint", ""))
            tenant_id = UUID(request.get("tenant_id") or str(DEFAULT_TENANT))
        except ValueError:
            raise Refused("access_denied") from None
        claims = {"sub": f"local-{role}", "tenant_id": str(tenant_id), "roles": [str(role)]}
        if "nonce" in request:
            claims["nonce"] = request["nonce"]
        code = secrets.token_urlsafe(24)
        self._grants[code] = Grant(
            claims=claims,
            redirect_uri=request["redirect_uri"],
            challenge=request["code_challenge"],
            until=time.monotonic() + CODE_SECONDS,
        )
        answer = {"code": code}
        if "state" in request:
            answer["state"] = request["state"]
        separator = "&" if urlsplit(request["redirect_uri"]).query else "?"
        return request["redirect_uri"] + separator + urlencode(answer)

    def redeem(self, form: Mapping[str, str]) -> dict[str, Any]:
        """Return tokens for a code, once."""
        if form.get("grant_type") != "authorization_code":
            raise Refused("unsupported_grant_type")
        if form.get("client_id") != CLIENT:
            raise Refused("invalid_client")
        grant = self._grants.pop(form.get("code", ""), None)
        challenge = _encoded(
            sha256(form.get("code_verifier", "")[:MAX_VERIFIER_LENGTH].encode()).digest()
        )
        if (
            grant is None
            or grant.until < time.monotonic()
            or grant.redirect_uri != form.get("redirect_uri")
        ):
            raise Refused("invalid_grant")
        if not secrets.compare_digest(grant.challenge.encode(), challenge.encode()):
            raise Refused("invalid_grant")
        now = int(time.time())
        times = {
            "iss": self.url,
            "aud": CLIENT,
            "iat": now,
            "nbf": now,
            "exp": now + TOKEN_SECONDS,
        }
        token = jwt.encode({**times, **grant.claims}, self._key, "RS256", {"kid": self._kid})
        return {
            "access_token": token,
            "id_token": token,
            "token_type": "Bearer",
            "expires_in": TOKEN_SECONDS,
        }


class _Handler(BaseHTTPRequestHandler):
    provider: Provider

    def do_GET(self) -> None:
        target = urlsplit(self.path)
        query = dict(parse_qsl(target.query))
        documents = {
            "/.well-known/openid-configuration": self.provider.metadata,
            "/keys": self.provider.keys,
        }
        if target.path in documents:
            return self._json(200, documents[target.path])
        if target.path != "/authorize":
            return self._json(404, {"error": "not_found"})
        try:
            if "login_hint" not in query:
                self.provider.check(query)
                return self._answer(200, "text/html; charset=utf-8", _page(query).encode())
            return self._answer(302, "text/plain", b"", Location=self.provider.authorize(query))
        except Refused as error:
            return self._json(400, {"error": str(error)})

    def do_POST(self) -> None:
        stated = self.headers.get("Content-Length", "")
        length = int(stated) if stated.isdecimal() else 0
        if self.path != "/token" or length > MAX_FORM_LENGTH:
            return self._json(404, {"error": "not_found"})
        form = {
            name: values[-1]
            for name, values in parse_qs(self.rfile.read(length).decode("latin-1")).items()
        }
        try:
            return self._json(200, self.provider.redeem(form))
        except Refused as error:
            return self._json(400, {"error": str(error)})

    def _json(self, status: int, value: Any) -> None:
        self._answer(status, "application/json", json.dumps(value).encode())

    def _answer(self, status: int, kind: str, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": kind,
            "Cache-Control": "no-store",
            **headers,
        }.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _page(query: Mapping[str, str]) -> str:
    hidden = "".join(
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
        for name, value in query.items()
        if name != "tenant_id"
    )
    choices = " ".join(
        f'<label><input type="radio" name="login_hint" value="{role}" required> {role}</label>'
        for role in Role
    )
    tenant = html.escape(query.get("tenant_id", str(DEFAULT_TENANT)))
    return PAGE.format(hidden=hidden, choices=choices, tenant=tenant)


def _key(file: Path) -> rsa.RSAPrivateKey:
    if file.exists():
        existing = load_pem_private_key(file.read_bytes(), password=None)
        if isinstance(existing, rsa.RSAPrivateKey):
            return existing
    key = rsa.generate_private_key(65_537, 2_048)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return key


def _encoded(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def serve(port: int, key_file: Path) -> None:
    """Serve on loopback `port` until the process is ended."""
    _Handler.provider = Provider(f"http://127.0.0.1:{port}", key_file)
    with ThreadingHTTPServer(("127.0.0.1", port), _Handler) as server:
        print(f"serving {_Handler.provider.url}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]), Path(sys.argv[2]))
