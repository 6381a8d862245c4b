"""Acknowledging alerts over HTTP, with a real Alertmanager."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
import requests

from infra.local.alertmanager import Alertmanager
from infra.local.ports import free_port
from tests.conftest import Compose
from tests.integration.autoheal.api import Api


def _fire(alertmanager: Alertmanager, **labels: str) -> None:
    alert = {"labels": labels, "startsAt": datetime.now(UTC).isoformat()}
    assert requests.post(f"{alertmanager.url}/api/v2/alerts", json=[alert], timeout=5).ok


def test_a_double_click_creates_one_silence_that_can_be_ended(
    api: Api, alertmanager: Alertmanager
) -> None:
    name = f"A{uuid4().hex[:8]}"
    request = {
        "labels": {"alertname": name, "service": "crm", "pod": "x"},
        "duration": "30m",
        "comment": "on it",
    }
    first = api("POST", "/ack", request)
    second = api("POST", "/ack", request)
    assert (first.status_code, first.json_body) == (200, second.json_body)
    silence_id = first.json_body["silenceId"]
    [silence] = [
        silence
        for silence in api("GET", "/silences").json_body["items"]
        if silence["id"] == silence_id
    ]
    assert sorted(matcher["name"] for matcher in silence["matchers"]) == ["alertname", "service"]
    assert api("DELETE", f"/silences/{silence_id}").status_code == 204
    assert api("DELETE", f"/silences/{uuid4()}").status_code == 404
    assert api("POST", "/ack", request).json_body["silenceId"] != silence_id
    assert [event["kind"] for event in api("GET", "/audit").json_body["events"]] == [
        "ack",
        "silence_ended",
        "ack",
    ]


def test_an_alertmanager_that_is_down_is_502(api: Api, composed: Compose) -> None:
    composed(api.settings.changed(alertmanager={"url": f"http://127.0.0.1:{free_port()}"}))
    answer = api("POST", "/ack", {"labels": {"alertname": "A"}})
    assert (answer.status_code, answer.json_body["code"]) == (502, "alertmanager-down")
    assert api("GET", "/alerts").status_code == 502


def test_only_confirming_a_link_acknowledges(api: Api, alertmanager: Alertmanager) -> None:
    name = f"A{uuid4().hex[:8]}"
    hostile = '<script>alert("x")</script>'
    _fire(alertmanager, alertname=name, service=hostile)
    [alert] = [
        item
        for item in api("GET", "/alerts").json_body["items"]
        if item["labels"]["alertname"] == name
    ]
    assert alert["ackUrl"].startswith("https://aetherlink.test/api/ack?token=")
    path = alert["ackUrl"].removeprefix("https://aetherlink.test/api")

    def silences() -> list[Any]:
        items = api("GET", "/silences").json_body["items"]
        return [
            item for item in items if any(matcher["value"] == name for matcher in item["matchers"])
        ]

    page = api("GET", path, headers={})
    assert (page.status_code, silences()) == (200, [])
    assert "<script>" not in page.body.decode()
    assert "&lt;script&gt;" in page.body.decode()
    assert "form-action 'self'" in page.headers["Content-Security-Policy"]
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for _ in range(2):
        assert api("POST", path, headers=form).status_code == 200
    assert len(silences()) == 1


@pytest.mark.parametrize("token", ["", "abc", "x" * 5_000, "AAAA"])
def test_a_forged_link_does_nothing(api: Api, token: str) -> None:
    for method in ("GET", "POST"):
        assert api(method, f"/ack?token={token}", headers={}).status_code in (400, 403, 410)


def test_acknowledging_requires_a_link_or_a_role(api: Api) -> None:
    assert api("POST", "/ack", {"labels": {"alertname": "A"}}, headers={}).status_code in (
        401,
        415,
    )
    sales = Api(api.client, api.settings, roles="sales")
    assert sales("POST", "/ack", {"labels": {"alertname": "A"}}).status_code == 403
