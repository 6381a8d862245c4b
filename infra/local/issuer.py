"""The local OpenID Connect issuer as a service of the stack, and tokens from it."""

import secrets
import sys
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from chalicelib.security.identity import Role
from infra.local.errors import ServiceFailed
from infra.local.identity import CLIENT, DEFAULT_TENANT
from infra.local.service import Service, ServiceSpec
from infra.paths import ROOT

CALL_SECONDS = 5
REDIRECT = "http://127.0.0.1/signed-in"
VERIFIER_BYTES = 48


class Issuer(Service):
    """One issuer; its `url` is what it calls itself (`OIDC_ISSUER`).

    Its key is kept, so its tokens outlive it.
    """

    spec = ServiceSpec(
        name="issuer",
        label="OIDC issuer",
        health_path="/keys",
        remedy="read the log and run `make up` again",
    )

    def command(self) -> Sequence[str]:
        """Return the command; the key is in `home`."""
        return [
            sys.executable,
            "-m",
            "infra.local.issuer_server",
            str(self.port),
            str(self.home / "key.pem"),
        ]

    def environment(self) -> Mapping[str, str]:
        """Return the process' environment."""
        return {"PYTHONPATH": str(ROOT)}

    def settings(self) -> Mapping[str, str]:
        """Return the settings with which the API trusts this issuer."""
        return {
            "OIDC_ENABLED": "true",
            "OIDC_ISSUER": self.url,
            "OIDC_AUDIENCE": CLIENT,
            "OPERATOR_TENANT_ID": str(DEFAULT_TENANT),
        }

    def token(self, role: Role, tenant_id: UUID = DEFAULT_TENANT) -> str:
        """Sign in with the authorization code flow, as a browser would, and return the token.

        Raises:
            ServiceFailed: the issuer does not answer, or refuses.
        """
        import requests  # slow to import

        verifier = secrets.token_urlsafe(VERIFIER_BYTES)
        try:
            discovery = requests.get(
                f"{self.url}/.well-known/openid-configuration", timeout=CALL_SECONDS
            ).json()
            code = _authorize(discovery["authorization_endpoint"], role, tenant_id, verifier)
            return _redeem(discovery["token_endpoint"], code, verifier)
        except (requests.RequestException, KeyError) as error:
            raise ServiceFailed(
                "issuer",
                f"it issued no token: {type(error).__name__}",
                remedy="run `make up` first",
                log=self.process.log,
            ) from error


def _authorize(endpoint: str, role: Role, tenant_id: UUID, verifier: str) -> str:
    """Return an authorization code. Raises `requests.RequestException`, `KeyError`."""
    import requests  # slow to import

    challenge = urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")
    query = {
        "response_type": "code",
        "client_id": CLIENT,
        "redirect_uri": REDIRECT,
        "scope": "openid",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "login_hint": str(role),
        "tenant_id": str(tenant_id),
    }
    response = requests.get(endpoint, params=query, allow_redirects=False, timeout=CALL_SECONDS)
    [code] = parse_qs(urlsplit(response.headers["Location"]).query)["code"]
    return code


def _redeem(endpoint: str, code: str, verifier: str) -> str:
    """Return the access token for a code. Raises `requests.RequestException`, `KeyError`."""
    import requests  # slow to import

    form = {
        "grant_type": "authorization_code",
        "client_id": CLIENT,
        "redirect_uri": REDIRECT,
        "code": code,
        "code_verifier": verifier,
    }
    response = requests.post(endpoint, data=form, timeout=CALL_SECONDS)
    response.raise_for_status()
    return str(response.json()["access_token"])
