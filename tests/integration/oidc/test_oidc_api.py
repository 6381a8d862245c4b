"""The whole API with sign-in: tokens, roles, tenants and readiness."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from chalice.test import Client, HTTPResponse

import app
from chalicelib.config import Settings
from tests.conftest import Compose
from tests.integration.oidc.hostile_tokens import HOSTILE_TOKENS
from tests.issuer import TENANT, Issuer

ACCOUNTS = "/api/crm/accounts"


class Api:
    """The API in one process, with sign-in at the test's issuer."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def __call__(
        self, method: str, path: str, token: str | None, body: Any = None, **headers: str
    ) -> HTTPResponse:
        authorization = {} if token is None else {"Authorization": f"Bearer {token}"}
        return self.client.http.request(
            method,
            path,
            headers={"Content-Type": "application/json", **headers, **authorization},
            body=b"" if body is None else json.dumps(body).encode(),
        )


@pytest.fixture
def settings(issuer: Issuer, database: Settings) -> Settings:
    urls = {"url": database.database.url, "relay_url": database.database.relay_url}
    return issuer.settings(database=urls)


@pytest.fixture
def api(settings: Settings, composed: Compose) -> Iterator[Api]:
    composed(settings)
    with Client(app.app, stage_name="local") as client:
        yield Api(client)


def _refusal(response: HTTPResponse) -> tuple[int, str]:
    return response.status_code, json.loads(response.body)["code"]


def test_the_api_accepts_valid_tokens(api: Api, issuer: Issuer) -> None:
    created = api("POST", ACCOUNTS, issuer.token(), {"name": "Northwind"})
    assert (created.status_code, created.json_body["tenantId"]) == (201, str(TENANT))
    assert api("GET", ACCOUNTS, issuer.token(roles="ops")).status_code == 200
    assert len(api("GET", ACCOUNTS, issuer.token()).json_body["items"]) == 1
    account = f"{ACCOUNTS}/{created.json_body['id']}"
    assert api("GET", account, issuer.token(tenant_id=str(uuid4()))).status_code == 404


def test_the_api_refuses_hostile_tokens_and_stores_nothing(api: Api, issuer: Issuer) -> None:
    for name, (_, make) in HOSTILE_TOKENS.items():
        response = api("POST", ACCOUNTS, make(issuer), {"name": "x"})
        assert response.status_code == 401, name
        challenge = response.headers["WWW-Authenticate"]
        assert challenge == 'Bearer realm="aetherlink", error="invalid_token"'
        assert response.headers["Content-Type"] == "application/problem+json"
    assert api("GET", ACCOUNTS, issuer.token()).json_body["items"] == []
    assert issuer.key_calls <= 2


def test_the_headers_of_development_sign_in_are_not_trusted(api: Api) -> None:
    headers = {"X-Roles": "admin", "X-Tenant-Id": str(TENANT)}
    assert api("GET", ACCOUNTS, None, **headers).status_code == 401


def test_a_token_without_the_role_or_the_tenant_is_a_403(api: Api, issuer: Issuer) -> None:
    for token, code in (
        (issuer.token(roles=["ops"]), "role-missing"),
        (issuer.token(roles=["king"]), "role-missing"),
        (issuer.token(roles=None), "role-missing"),
        (issuer.token(tenant_id="7"), "tenant-missing"),
    ):
        assert _refusal(api("POST", ACCOUNTS, token, {"name": "x"})) == (403, code)
    foreign = api("GET", ACCOUNTS, issuer.token(), **{"X-Tenant-Id": str(uuid4())})
    assert _refusal(foreign) == (403, "tenant-mismatch")


def test_while_the_issuer_is_down_a_new_function_answers_503(
    api: Api, issuer: Issuer, settings: Settings, composed: Compose
) -> None:
    issuer.status = 500
    composed(settings)
    response = api("GET", ACCOUNTS, issuer.token())
    assert (response.status_code, response.headers["Retry-After"]) == (503, "2")


def test_readiness_needs_the_keys_but_not_the_issuer(
    api: Api, issuer: Issuer, settings: Settings, database: Settings, composed: Compose
) -> None:
    def ready() -> tuple[int, str]:
        response = api.client.http.get("/health/ready")
        return response.status_code, response.json_body["dependencies"]["issuer"]["status"]

    issuer.status = 500
    assert ready() == (503, "down")
    composed(settings)
    issuer.status = 200
    assert ready() == (200, "ok")
    issuer.status = 500
    calls = len(issuer.calls)
    for _ in range(5):
        assert ready() == (200, "ok")
    assert len(issuer.calls) == calls
    composed(database)
    assert "issuer" not in api.client.http.get("/health/ready").json_body["dependencies"]
