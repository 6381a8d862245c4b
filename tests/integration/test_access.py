"""Access control: every role on every route, with tokens of a real issuer."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from chalice.test import Client, HTTPResponse

import app
from chalicelib.bootstrap import container
from chalicelib.config import Settings
from chalicelib.entrypoints import access
from chalicelib.entrypoints.methods import FILLED_IN
from chalicelib.security.identity import Role
from chalicelib.telemetry import names
from tests.conftest import Compose
from tests.fakes.meter import FakeMeter
from tests.issuer import TENANT, Issuer, running

EXPECTED = {
    "public": [
        "GET /",
        "GET /health/live",
        "GET /health/ready",
        "GET /openapi.json",
        "GET /docs",
        "GET /docs/{file}",
    ],
    "sales admin": [
        f"{method}{path}"
        for name in ("accounts", "contacts", "jobs")
        for method, path in (
            ("POST ", f"/api/crm/{name}"),
            ("PATCH ", f"/api/crm/{name}/{{id}}"),
            ("DELETE ", f"/api/crm/{name}/{{id}}"),
        )
    ]
    + ["POST /api/crm/jobs/{id}/status"],
    "sales admin ops": [
        f"GET /api/crm/{name}{rest}"
        for name in ("accounts", "contacts", "jobs")
        for rest in ("", "/{id}")
    ],
    "ops admin": [
        "GET /api/outbox",
        "GET /api/outbox/streams",
        "POST /api/outbox/streams/{key}/requeue",
        "POST /api/outbox/streams/{key}/discard",
        "POST /api/outbox/replay",
        "GET /api/outbox/replay/{id}",
        "GET /autoheal/actions",
        "GET /autoheal/actions/{id}",
        "GET /autoheal/config",
        "PUT /autoheal/config",
        "GET /audit",
        "GET /alerts",
        "GET /silences",
        "DELETE /silences/{id}",
        "POST /ack",
        "GET /metrics",
    ],
    "admin": ["POST /autoheal/actions/{id}/approve", "POST /autoheal/actions/{id}/reject"],
    "own credential": ["POST /autoheal/alert", "GET /ack"],
}
ROUTES = {route: roles for roles, routes in EXPECTED.items() for route in routes}


class Caller:
    """Calls the whole API with tokens of a real issuer."""

    def __init__(self, client: Client, issuer: Issuer) -> None:
        self.client = client
        self.issuer = issuer

    def __call__(self, route: str, token: str | None, **headers: str) -> HTTPResponse:
        method, path = (
            route.replace("{id}", str(uuid4())).replace("{key}", f"job:{uuid4()}").split()
        )
        authorization = {} if token is None else {"Authorization": f"Bearer {token}"}
        sent = {"Content-Type": "application/json", **authorization, **headers}
        return self.client.http.request(method, path, headers=sent, body=b"{}")

    def is_refused(self, answer: HTTPResponse) -> bool:
        assert answer.status_code != 500, answer.body
        return answer.status_code in (401, 403)


@pytest.fixture
def call(database: Settings, composed: Compose) -> Iterator[Caller]:
    with running() as issuer, Client(app.app, stage_name="local") as client:
        urls = {
            "database": {
                "url": database.database.url,
                "relay_url": database.database.relay_url,
            }
        }
        composed(issuer.settings(operator_tenant_id=TENANT, **urls))
        yield Caller(client, issuer)


def test_the_table_has_exactly_the_routes_of_the_app() -> None:
    routes = {
        f"{method} {path}"
        for path, methods in app.app.routes.items()
        for method, entry in methods.items()
        if entry.view_function.__name__ not in FILLED_IN
    }
    assert routes == {" ".join(route) for route in access.RULES}
    assert routes == set(ROUTES)


def test_each_role_can_call_exactly_its_routes(call: Caller) -> None:
    calls = 0
    for route, expected in ROUTES.items():
        for role in Role:
            answer = call(route, call.issuer.token(roles=[role.value]))
            allowed = expected == "public" or role.value in expected.split()
            assert call.is_refused(answer) is not allowed, (route, role)
            assert (
                allowed
                or expected == "own credential"
                or json.loads(answer.body)["code"] == "role-missing"
            )
            calls += 1
    assert calls == len(ROUTES) * 3


def test_without_a_role_or_a_token_only_public_routes_respond(call: Caller) -> None:
    for route, expected in ROUTES.items():
        public = expected == "public"
        for token, status in (
            (None, 401),
            ("x.y.z", 401),
            (call.issuer.token(exp=1), 401),
            (call.issuer.token(roles=["king"]), 403),
            (call.issuer.token(tenant_id=None), 403),
        ):
            answer = call(route, token)
            assert call.is_refused(answer) is not public, route
            assert expected in ("public", "own credential") or answer.status_code == status, route


def test_another_tenant_is_refused_on_every_protected_route(call: Caller) -> None:
    token = call.issuer.token(roles=["admin", "ops", "sales"])
    for route, expected in ROUTES.items():
        answer = call(route, token, **{"X-Tenant-Id": str(uuid4())})
        assert call.is_refused(answer) is (expected != "public"), route


def test_routes_of_the_whole_system_require_the_operator_tenant(call: Caller) -> None:
    token = call.issuer.token(roles=["admin", "ops"], tenant_id=str(uuid4()))
    for (method, path), rule in access.RULES.items():
        if isinstance(rule, access.System) or path in ("/metrics", "/ack"):
            answer = call(f"{method} {path}", token)
            assert call.is_refused(answer), path
            assert (method, path) == ("GET", "/ack") or json.loads(answer.body)[
                "code"
            ] == "operators-alone", path


def test_a_route_without_a_rule_cannot_be_called(
    call: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorter = {
        route: rule for route, rule in access.RULES.items() if route != ("GET", "/health/live")
    }
    monkeypatch.setattr(access, "RULES", shorter)
    answer = call("GET /health/live", call.issuer.token(roles=["admin"]))
    assert (answer.status_code, json.loads(answer.body)["code"]) == (403, "rule-missing")


def test_a_refusal_is_logged_and_counted_without_the_token(
    call: Caller, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    meter = FakeMeter()
    container().telemetry.api_meter = meter
    lines: list[tuple[str, dict[str, Any]]] = []
    for level in ("info", "warning", "error"):
        monkeypatch.setattr(
            f"chalicelib.telemetry.logs.{level}",
            lambda action, **fields: lines.append((action, fields)),
        )
    expired = call.issuer.token(exp=1)
    without_role = call.issuer.token(roles=["ops"], sub="ada")
    for token in (None, expired, without_role):
        call("POST /api/crm/accounts", token, **{"X-Request-Id": "request-42"})
    refused = [fields for action, fields in lines if action == names.ACCESS_REFUSED]
    assert [(fields["status"], fields["code"]) for fields in refused] == [
        (401, "unauthenticated"),
        (401, "token-expired"),
        (403, "role-missing"),
    ]
    assert {(fields["request_id"], fields["method"], fields["path"]) for fields in refused} == {
        ("request-42", "POST", "/api/crm/accounts")
    }
    assert "ada" in refused[2]["cause"]
    output = repr(lines)
    for token in (expired, without_role):
        assert not [part for part in token.split(".") if part in output]
    assert (
        meter.counts[names.ACCESS_UNAUTHENTICATED],
        meter.counts[names.ACCESS_FORBIDDEN],
    ) == (2, 1)
    call("GET /health/live", None)
    assert meter.flushes == 3
