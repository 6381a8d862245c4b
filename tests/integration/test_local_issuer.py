"""The local issuer as a separate process, whose tokens the API verifies."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import pytest
import requests

from chalicelib.bootstrap import container
from chalicelib.config.reader import from_env
from chalicelib.security.identity import Principal, Role
from chalicelib.shared.errors import Unauthenticated
from infra.local.errors import ServiceFailed
from infra.local.identity import CLIENT, DEFAULT_TENANT
from infra.local.issuer import REDIRECT, Issuer
from infra.local.ports import free_port
from infra.paths import ROOT
from tests.conftest import Compose
from tests.issuer import encoded

VERIFIER = "v" * 50
AUTHORIZATION_REQUEST = {
    "response_type": "code",
    "client_id": CLIENT,
    "redirect_uri": REDIRECT,
    "code_challenge": encoded(sha256(VERIFIER.encode()).digest()),
    "code_challenge_method": "S256",
    "login_hint": "sales",
    "state": "s1",
}
FORM = {
    "grant_type": "authorization_code",
    "client_id": CLIENT,
    "redirect_uri": REDIRECT,
    "code_verifier": VERIFIER,
}


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issuer]:
    local_issuer = Issuer(tmp_path_factory.mktemp("issuer"), free_port())
    assert local_issuer.start()
    assert not local_issuer.start(), "it is already running"
    try:
        yield local_issuer
    finally:
        local_issuer.stop()
        assert not local_issuer.running()


def _authorize(issuer: Issuer, **more: str | None) -> requests.Response:
    parameters = {
        name: value
        for name, value in {**AUTHORIZATION_REQUEST, **more}.items()
        if value is not None
    }
    return requests.get(
        f"{issuer.url}/authorize", params=parameters, allow_redirects=False, timeout=5
    )


def _redeem(issuer: Issuer, code: str, **more: str) -> requests.Response:
    return requests.post(f"{issuer.url}/token", data={**FORM, "code": code, **more}, timeout=5)


def _code(issuer: Issuer) -> str:
    return parse_qs(urlsplit(_authorize(issuer).headers["Location"]).query)["code"][0]


@pytest.mark.parametrize("role", Role)
def test_the_api_accepts_the_tokens_of_the_local_issuer(
    issuer: Issuer, composed: Compose, role: Role
) -> None:
    composed(from_env(dict(issuer.settings())))
    authenticator = container().access.authenticator
    tenant = uuid4()
    for arguments, expected in (((role,), DEFAULT_TENANT), ((role, tenant), tenant)):
        headers = {"authorization": f"Bearer {issuer.token(*arguments)}"}
        assert authenticator.authenticate(headers) == Principal(
            f"local-{role}", expected, frozenset({role})
        )
    another = Issuer(issuer.home, free_port())
    composed(from_env(dict(another.settings(), OIDC_JWKS_URL=f"{issuer.url}/keys")))
    with pytest.raises(Unauthenticated):
        container().access.authenticator.authenticate(
            {"authorization": f"Bearer {issuer.token(role)}"}
        )


def test_the_key_survives_a_restart_and_is_readable_by_its_owner_only(issuer: Issuer) -> None:
    before = requests.get(f"{issuer.url}/keys", timeout=5).json()
    issuer.kill()
    assert not issuer.running()
    assert issuer.start()
    assert requests.get(f"{issuer.url}/keys", timeout=5).json() == before
    assert "d" not in before["keys"][0]
    assert (issuer.home / "key.pem").stat().st_mode & 0o077 == 0


def test_a_code_is_valid_once_and_for_its_own_client(issuer: Issuer) -> None:
    code = _code(issuer)
    assert _redeem(issuer, code).json()["token_type"] == "Bearer"
    assert _redeem(issuer, code).json() == {"error": "invalid_grant"}
    for wrong in ({"code_verifier": "x" * 50}, {"redirect_uri": "http://127.0.0.1/other"}):
        code = _code(issuer)
        assert _redeem(issuer, code, **wrong).json() == {"error": "invalid_grant"}
        assert _redeem(issuer, code).json() == {"error": "invalid_grant"}, "one attempt"
    assert _redeem(issuer, "made-up").json() == {"error": "invalid_grant"}
    assert _redeem(issuer, _code(issuer), client_id="x").json() == {"error": "invalid_client"}
    assert _redeem(issuer, _code(issuer), grant_type="password").json() == {
        "error": "unsupported_grant_type"
    }


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"redirect_uri": "https://evil.example.test/"}, "unauthorized_client"),
        ({"redirect_uri": None}, "unauthorized_client"),
        ({"client_id": "other"}, "unauthorized_client"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"login_hint": "king"}, "access_denied"),
        ({"tenant_id": "x"}, "access_denied"),
    ],
)
def test_an_invalid_request_gets_no_code(
    issuer: Issuer, wrong: dict[str, str | None], error: str
) -> None:
    answer = _authorize(issuer, **wrong)
    assert (answer.status_code, answer.json()) == (400, {"error": error})


def test_the_sign_in_page_offers_every_role_and_escapes_the_request(issuer: Issuer) -> None:
    answer = _authorize(issuer, login_hint=None, state='"><script>')
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "<script>" not in answer.text
    assert all(f'value="{role}"' in answer.text for role in Role)
    assert str(DEFAULT_TENANT) in answer.text


def test_the_shell_prints_a_token(issuer: Issuer, tmp_path: Path) -> None:
    tenant = str(uuid4())
    command = [
        sys.executable,
        "-m",
        "infra.local",
        "token",
        "--role",
        "ops",
        "--tenant",
        tenant,
        "--json",
    ]
    env = {
        **os.environ,
        "AETHERLINK_ISSUER_PORT": str(issuer.port),
        "KAFKA_BROKER": "embedded",
    }
    process = subprocess.run(
        [*command, "--home", str(tmp_path)],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
    )
    output = json.loads(process.stdout)
    assert (output["role"], output["tenant"], output["issuer"]) == ("ops", tenant, issuer.url)
    assert output["token"].count(".") == 2


def test_without_an_issuer_the_error_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ServiceFailed, match="make up"):
        Issuer(tmp_path, free_port()).token(Role.SALES)


def test_a_taken_port_is_named_with_the_setting_that_moves_it(
    issuer: Issuer, tmp_path: Path
) -> None:
    with pytest.raises(ServiceFailed, match="AETHERLINK_ISSUER_PORT"):
        Issuer(tmp_path, issuer.port).start()


def test_the_default_tenant_is_a_uuid_of_version_7() -> None:
    assert UUID(str(DEFAULT_TENANT)).version == 7
