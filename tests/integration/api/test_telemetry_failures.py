"""Metrics and logs that fail change no answer."""

from typing import NoReturn

import pytest

from chalicelib.bootstrap import container
from chalicelib.telemetry import logs
from tests.integration.api.client import Api, problem

ACCOUNTS = "/api/crm/accounts"


def _raise(*_: object, **__: object) -> NoReturn:
    raise RuntimeError("the telemetry is down")


@pytest.fixture(params=["requests", "meter", "flush", "info", "warning", "error"])
def broken(request: pytest.FixtureRequest, api: Api, monkeypatch: pytest.MonkeyPatch) -> Api:
    """Return a client of an API of whose telemetry one part raises."""
    telemetry = container().telemetry
    match request.param:
        case "requests":
            monkeypatch.setattr(telemetry.request_metrics, "count", _raise)
        case "meter":
            monkeypatch.setattr(telemetry.api_meter, "count", _raise)
        case "flush":
            monkeypatch.setattr(telemetry.api_meter, "flush", _raise)
        case level:
            monkeypatch.setattr(logs, level, _raise)
    return api


def test_a_write_is_answered_as_it_was_committed(broken: Api) -> None:
    key = {"Idempotency-Key": "k-1"}
    first = broken("POST", ACCOUNTS, {"name": "x"}, headers=key)
    assert first.status_code == 201
    again = broken("POST", ACCOUNTS, {"name": "x"}, headers=key)
    assert (again.status_code, again.body) == (201, first.body)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(broken("GET", ACCOUNTS).json_body["items"]) == 1


def test_a_refusal_stays_what_it_is(broken: Api) -> None:
    refused = broken("GET", ACCOUNTS, headers={"X-Roles": ""})
    problem(refused, 401, "unauthenticated")
    forbidden = broken("POST", ACCOUNTS, {"name": "x"}, headers={"X-Roles": "ops"})
    problem(forbidden, 403, "role-missing")


def test_a_crash_stays_a_problem_document(broken: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container().crm, "unit_of_work", _raise)
    problem(broken("GET", ACCOUNTS), 500, "internal-error")
