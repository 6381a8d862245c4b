"""The local OpenID Connect issuer as a part of the stack, and tokens from it."""

import secrets
import sys
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import requests

from chalicelib.security.identity import Role
from infra.aws.package import ROOT
from infra.local.issuer_server import CLIENT, DEFAULT_TENANT
from infra.local.process import PartFailed, Process, refuse_foreign

START_SECONDS = 20.0
CALL_SECONDS = 5
SETTING = "AETHERLINK_ISSUER_PORT"
REDIRECT = "http://127.0.0.1/signed-in"


class Issuer:
    """One issuer on loopback. Its key stays, so tokens outlive it."""

    def __init__(self, home: Path, port: int) -> None:
        """Keep the key and the log under `home` and listen on loopback `port`."""
        self.home = home
        self.port = port
        self.process = Process("issuer", home)

    @property
    def url(self) -> str:
        """What the issuer calls itself (`OIDC_ISSUER`)."""
        return f"http://127.0.0.1:{self.port}"

    def running(self) -> bool:
        """Tell whether the issuer answers."""
        return self.process.running() and self._answers()

    def start(self) -> bool:
        """Start the issuer; return whether it had to be started. Raises `PartFailed`."""
        if self.running():
            return False
        self.process.kill()
        refuse_foreign("issuer", self.port, SETTING)
        self.process.start(
            [
                sys.executable,
                "-m",
                "infra.local.issuer_server",
                str(self.port),
                str(self.home / "key.pem"),
            ],
            ready=self._answers,
            seconds=START_SECONDS,
            remedy="read the log and run `make up` again",
            env={"PYTHONPATH": str(ROOT)},
        )
        return True

    def stop(self) -> None:
        """Shut it down."""
        self.process.stop()

    def kill(self) -> None:
        """Crash it."""
        self.process.kill()

    def environment(self) -> Mapping[str, str]:
        """Return the settings that have the API believe this issuer."""
        return {
            "OIDC_ENABLED": "true",
            "OIDC_ISSUER": self.url,
            "OIDC_AUDIENCE": CLIENT,
            "OPERATOR_TENANT_ID": str(DEFAULT_TENANT),
        }

    def token(self, role: Role, tenant_id: UUID = DEFAULT_TENANT) -> str:
        """Sign in with the authorization code flow, as a browser would, and return the token.

        Raises:
            PartFailed: the issuer does not answer, or refuses.
        """
        verifier = secrets.token_urlsafe(48)
        challenge = urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")
        asked = {
            "response_type": "code",
            "client_id": CLIENT,
            "redirect_uri": REDIRECT,
            "scope": "openid",
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "login_hint": str(role),
            "tenant_id": str(tenant_id),
        }
        try:
            found = self._get("/.well-known/openid-configuration").json()
            sent = requests.get(
                found["authorization_endpoint"],
                params=asked,
                allow_redirects=False,
                timeout=CALL_SECONDS,
            )
            [code] = parse_qs(urlsplit(sent.headers["Location"]).query)["code"]
            form = {
                "grant_type": "authorization_code",
                "client_id": CLIENT,
                "redirect_uri": REDIRECT,
            }
            proof = {"code": code, "code_verifier": verifier}
            answer = requests.post(
                found["token_endpoint"], data={**form, **proof}, timeout=CALL_SECONDS
            )
            answer.raise_for_status()
            return str(answer.json()["access_token"])
        except (requests.RequestException, KeyError) as problem:
            reason = f"it gave no token: {type(problem).__name__}"
            raise PartFailed(
                "issuer", reason, remedy="run `make up` first", log=self.process.log
            ) from problem

    def _get(self, path: str) -> Any:
        return requests.get(self.url + path, timeout=CALL_SECONDS)

    def _answers(self) -> bool:
        try:
            return bool(self._get("/keys").ok)
        except requests.RequestException:
            return False
