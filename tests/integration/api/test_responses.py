"""What every response has, and the responses when something is down or crashes."""

from uuid import uuid4

import pytest

from chalicelib.bootstrap import container
from chalicelib.config import Settings
from chalicelib.security.rate_limit import RateLimitPolicy, TenantRate
from infra.local.ports import free_port
from infra.local.postgres import Postgres
from tests.conftest import Compose
from tests.fakes.clock import FakeClock
from tests.fakes.counters import FakeCounters
from tests.fakes.meter import FakeMeter
from tests.integration.api.client import Api, problem


def test_every_response_has_a_request_id_and_security_headers(api: Api) -> None:
    for path in ("/", "/api/crm/accounts", "/api/crm/accounts/7"):
        answer = api("GET", path, headers={"X-Request-Id": "my-request-42"})
        assert answer.headers["X-Request-Id"] == "my-request-42"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
    assert api("GET", "/", headers={"X-Request-Id": "a b\t"}).headers["X-Request-Id"] != "a b\t"


def test_events_carry_the_trace_of_their_request(api: Api, postgres: Postgres) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    answer = api("POST", "/api/crm/accounts", {"name": "x"}, headers={"traceparent": trace})
    assert answer.status_code == 201
    with postgres.connect() as connection:
        assert connection.execute_simple(
            "SELECT headers->>'traceparent' FROM outbox_event"
        ).rows == [[trace]]


def test_a_database_that_is_down_is_a_503_with_retry_after(
    api: Api, database: Settings, composed: Compose
) -> None:
    unreachable = database.changed(
        database={"url": f"postgresql://a:s3cr3t@127.0.0.1:{free_port()}/x"}
    )
    composed(unreachable)
    answer = api("POST", "/api/crm/accounts", {"name": "x"})
    problem(answer, 503, "database-unavailable")
    assert answer.headers["Retry-After"]
    assert b"s3cr3t" not in answer.body
    ready = api("GET", "/health/ready")
    assert (ready.status_code, ready.json_body["dependencies"]["postgres"]["status"]) == (
        503,
        "down",
    )
    assert api("GET", "/health/live").status_code == 200


def test_a_tenant_over_its_rate_limit_is_refused_and_others_are_served(
    api: Api,
) -> None:
    rate = TenantRate(
        FakeCounters(), FakeClock(), FakeMeter(), RateLimitPolicy(per_second=1, burst=2)
    )
    container().access.tenant_rate = rate
    assert [api("GET", "/api/crm/accounts").status_code for _ in range(2)] == [200, 200]
    refused = api("GET", "/api/crm/accounts")
    problem(refused, 429, "rate-limited")
    assert refused.headers["Retry-After"] == "2"
    assert api("GET", "/health/live").status_code == 200
    api.tenant = uuid4()
    assert api("GET", "/api/crm/accounts").status_code == 200


def test_a_crash_is_a_500_without_a_stack_trace(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError("s3cr3t")

    monkeypatch.setattr(container().crm, "unit_of_work", crash)
    answer = api("GET", "/api/crm/accounts")
    problem(answer, 500, "internal-error")
    assert b"s3cr3t" not in answer.body


def test_home_and_readiness_report_the_state_of_the_service(api: Api) -> None:
    assert api("GET", "/").json_body["status"] == "ok"
    ready = api("GET", "/health/ready").json_body
    assert ready["dependencies"]["postgres"]["latencyMs"] > 0


def test_the_openapi_document_is_served(api: Api) -> None:
    answer = api("GET", "/openapi.json")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json_body["openapi"] == "3.1.0"
    assert "/api/crm/jobs/{id}/status" in answer.json_body["paths"]
