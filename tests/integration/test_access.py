"""Every route with every role, without a token, and for a foreign tenant, against the table that was promised."""

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

PROMISED = {
    "public": [
        "GET /",
        "GET /health/live",
        "GET /health/ready",
        "GET /openapi.json",
        "GET /docs",
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
    "nobody": ["POST /autoheal/alert", "GET /ack"],
}
ROUTES = {route: roles for roles, routes in PROMISED.items() for route in routes}


class Caller:
    """Calls the whole API with tokens of a real issuer."""

    def __init__(self, client: Client, issuer: Issuer) -> None:
        self.client = client
        self.issuer = issuer

    def __call__(self, route: str, token: str | None, **headers: str) -> HTTPResponse:
        method, path = (
            route.replace("{id}", str(uuid4())).replace("{key}", f"job:{uuid4()}").split()
        )
        proof = {} if token is None else {"Authorization": f"Bearer {token}"}
        sent = {"Content-Type": "application/json", **proof, **headers}
        return self.client.http.request(method, path, headers=sent, body=b"{}")

    def kept_out(self, answer: HTTPResponse) -> bool:
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


def test_the_table_has_every_route_and_nothing_else() -> None:
    routes = {
        f"{method} {path}"
        for path, methods in app.app.routes.items()
        for method, entry in methods.items()
        if entry.view_function.__name__ not in FILLED_IN
    }
    assert routes == {" ".join(route) for route in access.RULES}
    assert routes == set(ROUTES)


def test_each_role_gets_where_it_was_promised_and_nowhere_else(call: Caller) -> None:
    seen = 0
    for route, promised in ROUTES.items():
        for role in Role:
            answer = call(route, call.issuer.token(roles=[role.value]))
            welcome = promised == "public" or role.value in promised.split()
            assert call.kept_out(answer) is not welcome, (route, role)
            assert (
                welcome or promised == "nobody" or json.loads(answer.body)["code"] == "role-missing"
            )
            seen += 1
    assert seen == len(ROUTES) * 3


def test_without_a_role_or_a_token_only_public_routes_answer(call: Caller) -> None:
    for route, promised in ROUTES.items():
        public = promised == "public"
        for token, status in (
            (None, 401),
            ("x.y.z", 401),
            (call.issuer.token(exp=1), 401),
            (call.issuer.token(roles=["king"]), 403),
            (call.issuer.token(tenant_id=None), 403),
        ):
            answer = call(route, token)
            assert call.kept_out(answer) is not public, route
            assert promised in ("public", "nobody") or answer.status_code == status, route


def test_a_foreign_tenant_is_refused_on_every_route_that_asks(call: Caller) -> None:
    token = call.issuer.token(roles=["admin", "ops", "sales"])
    for route, promised in ROUTES.items():
        answer = call(route, token, **{"X-Tenant-Id": str(uuid4())})
        assert call.kept_out(answer) is (promised != "public"), route


def test_what_belongs_to_no_tenant_is_for_the_operator_tenant_alone(call: Caller) -> None:
    token = call.issuer.token(roles=["admin", "ops"], tenant_id=str(uuid4()))
    for (method, path), rule in access.RULES.items():
        if isinstance(rule, access.System) or path in ("/metrics", "/ack"):
            answer = call(f"{method} {path}", token)
            assert call.kept_out(answer), path
            assert (method, path) == ("GET", "/ack") or json.loads(answer.body)[
                "code"
            ] == "operators-alone", path


def test_a_route_without_a_rule_is_closed(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    shorter = {
        route: rule for route, rule in access.RULES.items() if route != ("GET", "/health/live")
    }
    monkeypatch.setattr(access, "RULES", shorter)
    answer = call("GET /health/live", call.issuer.token(roles=["admin"]))
    assert (answer.status_code, json.loads(answer.body)["code"]) == (403, "rule-missing")


def test_who_was_kept_out_is_logged_and_counted_without_the_token(
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
    stale = call.issuer.token(exp=1)
    lesser = call.issuer.token(roles=["ops"], sub="ada")
    for token in (None, stale, lesser):
        call("POST /api/crm/accounts", token, **{"X-Request-Id": "request-42"})
    refused = [fields for action, fields in lines if action == names.ACCESS_REFUSED]
    assert [(one["status"], one["code"]) for one in refused] == [
        (401, "unauthenticated"),
        (401, "token-expired"),
        (403, "role-missing"),
    ]
    assert {(one["request_id"], one["method"], one["path"]) for one in refused} == {
        ("request-42", "POST", "/api/crm/accounts")
    }
    assert "ada" in refused[2]["cause"]
    said = repr(lines)
    for token in (stale, lesser):
        assert not [part for part in token.split(".") if part in said]
    assert (
        meter.counts[names.ACCESS_UNAUTHENTICATED],
        meter.counts[names.ACCESS_FORBIDDEN],
    ) == (2, 1)
    call("GET /health/live", None)
    assert meter.flushes == 3
