"""The healer in one process behind its HTTP door: real DynamoDB API, really run commands, a real Alertmanager."""

import csv
import io
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import requests
from chalice.test import Client, HTTPResponse

import app
from chalicelib.autoheal.audit import AuditEvent, Kind
from chalicelib.autoheal.heal import Healer
from chalicelib.autoheal.settle import Settler
from chalicelib.bootstrap import container
from chalicelib.config import Settings
from chalicelib.shared.clock import rfc3339
from infra.local.alertmanager import Alertmanager
from infra.local.demo_services import FAIL, DemoServices
from infra.local.emulator import Emulator
from infra.local.ports import free_port
from infra.local.ssm import LocalSsm
from tests.builders.alerts import TCP, delivery, raw_alert
from tests.conftest import Compose
from tests.contract.autoheal_suites import create_tables
from tests.integration.test_alertmanager import VALUES

WEBHOOK = {"Authorization": "Bearer new-token", "Content-Type": "application/json"}


@dataclass
class Api:
    """A caller of the API."""

    client: Client
    settings: Settings
    roles: str = "ops"

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
    ) -> HTTPResponse:
        raw = (
            body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        )
        mine = {
            "X-Tenant-Id": str(UUID(int=7)),
            "X-Roles": self.roles,
            "Content-Type": "application/json",
        }
        return self.client.http.request(
            method, path, headers=mine if headers is None else headers, body=raw
        )

    def deliver(self, *alerts: Any, **more: Any) -> HTTPResponse:
        return self("POST", "/autoheal/alert", delivery(*alerts, **more), headers=WEBHOOK)

    def live(self) -> None:
        answer = self("PUT", "/autoheal/config", {"mode": "live"})
        assert answer.status_code == 200, answer.body

    def states(self) -> list[str]:
        return [one["state"] for one in self("GET", "/autoheal/actions").json_body["items"]]


@pytest.fixture
def settings(
    emulator: Emulator,
    ssm: LocalSsm,
    alertmanager: Alertmanager,
    monkeypatch: pytest.MonkeyPatch,
) -> Settings:
    prefix = f"t{uuid4().hex[:12]}"
    create_tables(emulator.client("dynamodb"), prefix)
    alertmanager.start(VALUES)
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL_DYNAMODB", emulator.url),
        ("AWS_ENDPOINT_URL_SSM", ssm.url),
    ):
        monkeypatch.setenv(name, value)
    return Settings().changed(
        operator_tenant_id=UUID(int=7),
        autoheal_store={"table_prefix": prefix},
        shared_secrets={
            "webhook_tokens": ("old-token", "new-token"),
            "metrics_scrape_tokens": ("scrape",),
            "link_secrets": ("k" * 32,),
        },
        autoheal={"public_url": "https://aetherlink.test/api"},
        alertmanager={"url": alertmanager.url},
    )


@pytest.fixture
def api(settings: Settings, composed: Compose) -> Iterator[Api]:
    composed(settings)
    with Client(app.app, stage_name="local") as client:
        yield Api(client, settings)


def test_an_alert_restarts_the_service_and_the_cure_is_verified(
    api: Api, services: DemoServices
) -> None:
    api.live()
    services.kill("crm-api")
    answer = api.deliver(raw_alert())
    assert answer.status_code == 200
    [result] = answer.json_body["results"]
    assert (answer.json_body["ok"], result["alert"], result["result"], result["state"]) == (
        True,
        TCP,
        "executed",
        "RUNNING",
    )
    done = Settler(container().autoheal.dependencies).run(40)
    assert done.troubles == 0
    action = api("GET", f"/autoheal/actions/{result['actionId']}").json_body
    assert (action["state"], action["result"], action["rc"]) == ("SUCCEEDED", "executed", 0)
    assert services.answers("crm-api")
    kinds = [one["kind"] for one in api("GET", "/audit").json_body["events"]]
    assert kinds == [
        "action_ok",
        "action_sent",
        "action_eligible",
        "webhook_received",
        "config_changed",
    ]
    text = api("GET", "/metrics", headers={"Authorization": "Bearer scrape"}).body.decode()
    assert f'autoheal_actions_total{{alertname="{TCP}",result="executed"}} 1.0\n' in text
    assert 'autoheal_enabled{env="local"} 1.0\n' in text


def test_fifty_deliveries_of_one_episode_send_one_command(api: Api, ssm: LocalSsm) -> None:
    api.live()
    before = len(ssm.client().list_commands()["Commands"])
    together = threading.Barrier(50)
    answers = list[int]()
    raw = raw_alert(starts_at=datetime.now(UTC))

    def deliver() -> None:

        together.wait()
        received = Healer(container().autoheal.dependencies).receive(delivery(raw), seconds=28)
        answers.append(received.complete)

    threads = [threading.Thread(target=deliver) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert answers == [True] * 50
    assert len(ssm.client().list_commands()["Commands"]) == before + 1
    assert len(api.states()) == 1


def test_a_command_that_fails_is_a_failure_in_the_audit_and_the_metrics(
    api: Api, services: DemoServices
) -> None:
    api.live()
    services.behave("crm-api", FAIL)
    api.deliver(raw_alert())
    Settler(container().autoheal.dependencies).run(20)
    services.behave("crm-api", "")
    assert api.states() == ["FAILED"]
    [event] = api("GET", "/audit?kind=action_fail").json_body["events"]
    assert (event["alertname"], event["rc"], event["cmd"]) == (
        TCP,
        3,
        "AetherLink-RestartService:1 Service=crm-api",
    )
    assert "chaos" not in event


@pytest.mark.parametrize(
    "sent",
    ["", "Bearer", "Bearer ", "Bearer wrong", "Basic new-token", "Bearer new-token2"],
)
def test_the_webhook_takes_nobody_without_its_token(api: Api, sent: str) -> None:
    answer = api("POST", "/autoheal/alert", delivery(raw_alert()), headers={"Authorization": sent})
    assert (answer.status_code, answer.json_body["code"]) == (401, "unauthenticated")
    assert api("GET", "/audit").json_body["count"] == 0


def test_both_tokens_are_taken_while_one_replaces_the_other(api: Api) -> None:
    for token in ("old-token", "new-token"):
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        assert api("POST", "/autoheal/alert", delivery(), headers=headers).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/metrics", "/audit", "/autoheal/config", "/autoheal/actions", "/alerts", "/silences"],
)
def test_nothing_is_open_to_all(api: Api, path: str) -> None:
    assert api("GET", path, headers={}).status_code == 401
    sales = Api(api.client, api.settings, roles="sales")
    assert sales("GET", path).status_code == 403
    assert api("GET", path).status_code == 200


def test_a_delivery_of_two_megabytes_is_taken_and_one_more_byte_is_not(api: Api) -> None:
    body = delivery(raw_alert())
    assert api("POST", "/autoheal/alert", body.ljust(2_000_000), headers=WEBHOOK).status_code == 200
    assert api("POST", "/autoheal/alert", body.ljust(2_000_001), headers=WEBHOOK).status_code == 413


def test_dynamodb_down_is_503_and_never_400(
    api: Api, composed: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"http://127.0.0.1:{free_port()}")
    composed(api.settings.changed(autoheal_store={"timeout_seconds": 0.2}))
    answer = api.deliver(raw_alert())
    assert (answer.status_code, answer.json_body["code"]) == (
        503,
        "autoheal-store-unavailable",
    )
    assert "Retry-After" in answer.headers
    assert api("GET", "/").json_body["status"] == "ok", "health goes on"


def test_five_hundred_alerts_are_answered_in_time(api: Api) -> None:
    raws = [
        raw_alert(autoheal=None if n % 2 else "true", service=f"s{n}", fingerprint=f"{n:016x}")
        for n in range(500)
    ]
    answer = api.deliver(*raws)
    assert (answer.status_code, len(answer.json_body["results"])) == (200, 500)
    assert api("GET", "/audit?n=5000&kind=decision_skip").json_body["count"] == 500


def test_health_tells_the_truth_from_the_config(api: Api) -> None:
    assert api("GET", "/").json_body == {
        "status": "ok",
        "enabled": False,
        "dry_run": True,
        "chaos": {"enabled": False, "failure_rate_pct": 0.0},
        "otel": {"enabled": False},
        "oidc": {"enabled": False},
        "actions": ["CrmMetricsScrapeStale", TCP, "UptimeProbeFailing"],
    }
    api(
        "PUT",
        "/autoheal/config",
        {"mode": "live", "chaos": {"percent": 10, "seconds": 600}},
    )
    told = api("GET", "/").json_body
    assert (told["enabled"], told["dry_run"]) == (True, False)
    assert told["chaos"] == {"enabled": True, "failure_rate_pct": 10.0}


@pytest.mark.parametrize(
    "body",
    [
        {"mode": "on"},
        {"chaos": {"percent": 11}},
        {"chaos": {"percent": -1}},
        {"chaos": {"percent": 5, "seconds": 90_000}},
        {"chaos": {}},
        {"colour": 1},
        [],
    ],
)
def test_a_config_that_is_none_is_refused(api: Api, body: Any) -> None:
    assert api("PUT", "/autoheal/config", body).status_code == 400


def test_the_config_s_version_is_its_etag(api: Api) -> None:
    first = api("PUT", "/autoheal/config", {"mode": "live"})
    assert first.headers["ETag"] == '"1"'
    mine = {
        "X-Tenant-Id": str(UUID(int=7)),
        "X-Roles": "ops",
        "Content-Type": "application/json",
    }
    stale = api("PUT", "/autoheal/config", {"mode": "off"}, headers={**mine, "If-Match": '"0"'})
    assert stale.status_code == 412
    good = api("PUT", "/autoheal/config", {"mode": "off"}, headers={**mine, "If-Match": '"1"'})
    assert (good.json_body["mode"], good.json_body["version"]) == ("off", 2)


def _fill(number: int = 60) -> list[AuditEvent]:
    start = datetime.now(UTC) - timedelta(hours=number)
    made = []
    for n in range(number):
        kind = Kind.ACK if n % 2 else Kind.DECISION_SKIP
        made.append(
            AuditEvent(start + timedelta(hours=n), kind, f"=Alert{n % 3}", {"n": n, "x": "<b>"})
        )
    container().autoheal.dependencies.audit.append(made)
    return made


def test_the_audit_is_filtered_and_paged(api: Api) -> None:
    made = _fill()
    assert api("GET", "/audit").json_body["count"] == 60
    found = []
    path = "/audit?n=7&kind=ack&alertname=%3DAlert1"
    cursor: str | None = ""
    while cursor is not None:
        page = api("GET", path + (f"&cursor={cursor}" if cursor else "")).json_body
        found += [one["n"] for one in page["events"]]
        assert page["count"] == len(page["events"]) <= 7
        cursor = page["nextCursor"]
    assert found == [n for n in reversed(range(60)) if n % 2 and n % 3 == 1]
    since = made[10].time
    until = made[20].time
    told = api("GET", f"/audit?since={since.timestamp()}&until={rfc3339(until)}").json_body[
        "events"
    ]
    assert [one["n"] for one in told] == list(reversed(range(10, 20)))
    assert [one["n"] for one in api("GET", '/audit?contains="n": 33').json_body["events"]] == [33]


@pytest.mark.parametrize(
    "query",
    [
        "n=0",
        "n=5001",
        "n=x",
        "since=yesterday",
        "until=1e99",
        "format=xml",
        "colour=red",
        "cursor=abc",
        "kind=",
        "n=٣",
    ],
)
def test_a_bad_audit_query_is_refused(api: Api, query: str) -> None:
    assert api("GET", f"/audit?{query}").status_code == 400


def test_an_audit_cursor_is_bound_to_its_filters(api: Api) -> None:
    _fill()
    cursor = api("GET", "/audit?n=5&kind=ack").json_body["nextCursor"]
    assert api("GET", f"/audit?n=9&kind=ack&cursor={cursor}").status_code == 200
    assert api("GET", f"/audit?n=5&kind=decision_skip&cursor={cursor}").status_code == 400


def test_the_audit_as_csv_is_guarded_and_says_where_to_go_on(api: Api) -> None:
    _fill()
    answer = api("GET", "/audit?n=10&format=csv")
    assert answer.headers["Content-Type"].startswith("text/csv")
    rows = list(csv.reader(io.StringIO(answer.body.decode(), newline=""), strict=True))
    assert rows[0] == ["time", "kind", "alertname", "id", "details"]
    assert len(rows) == 11
    assert all(row[2].startswith("'=Alert") for row in rows[1:])
    cursor = answer.headers["X-Next-Cursor"]
    assert 'rel="next"' in answer.headers["Link"]
    following = api("GET", f"/audit?n=10&format=csv&cursor={cursor}").body.decode()
    assert not {row[3] for row in rows[1:]} & {
        row[3] for row in csv.reader(io.StringIO(following, newline=""))
    }


def _fire(alertmanager: Alertmanager, **labels: str) -> None:
    one = {"labels": labels, "startsAt": datetime.now(UTC).isoformat()}
    assert requests.post(f"{alertmanager.url}/api/v2/alerts", json=[one], timeout=5).ok


def test_a_double_click_makes_one_silence_and_it_can_be_ended(
    api: Api, alertmanager: Alertmanager
) -> None:
    name = f"A{uuid4().hex[:8]}"
    wanted = {
        "labels": {"alertname": name, "service": "crm", "pod": "x"},
        "duration": "30m",
        "comment": "on it",
    }
    first = api("POST", "/ack", wanted)
    second = api("POST", "/ack", wanted)
    assert (first.status_code, first.json_body) == (200, second.json_body)
    silence_id = first.json_body["silenceId"]
    [silence] = [
        one for one in api("GET", "/silences").json_body["items"] if one["id"] == silence_id
    ]
    assert sorted(one["name"] for one in silence["matchers"]) == ["alertname", "service"]
    assert api("DELETE", f"/silences/{silence_id}").status_code == 204
    assert api("DELETE", f"/silences/{uuid4()}").status_code == 404
    assert api("POST", "/ack", wanted).json_body["silenceId"] != silence_id
    assert [one["kind"] for one in api("GET", "/audit").json_body["events"]] == [
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
    [shown] = [
        one
        for one in api("GET", "/alerts").json_body["items"]
        if one["labels"]["alertname"] == name
    ]
    assert shown["ackUrl"].startswith("https://aetherlink.test/api/ack?token=")
    path = shown["ackUrl"].removeprefix("https://aetherlink.test/api")

    def silences() -> list[Any]:
        found = api("GET", "/silences").json_body["items"]
        return [
            one for one in found if any(matcher["value"] == name for matcher in one["matchers"])
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
def test_a_link_that_was_not_made_here_does_nothing(api: Api, token: str) -> None:
    for method in ("GET", "POST"):
        assert api(method, f"/ack?token={token}", headers={}).status_code in (400, 403, 410)


def test_nobody_acknowledges_without_a_link_or_a_role(api: Api) -> None:
    assert api("POST", "/ack", {"labels": {"alertname": "A"}}, headers={}).status_code in (
        401,
        415,
    )
    sales = Api(api.client, api.settings, roles="sales")
    assert sales("POST", "/ack", {"labels": {"alertname": "A"}}).status_code == 403


def test_requests_are_counted_by_pattern_and_code(api: Api) -> None:
    for _ in range(100):
        api("GET", f"/autoheal/actions/{uuid4()}")
    text = api("GET", "/metrics").body.decode()
    assert 'crm_http_requests_total{code="404",method="GET",route="/autoheal/actions/{id}"}' in text
    assert 'crm_http_request_duration_seconds_bucket{code="404",le="0.5"}' in text


@pytest.mark.parametrize("path", ["approve", "reject"])
def test_only_an_admin_approves_and_only_what_waits(api: Api, path: str) -> None:
    api.live()
    [result] = api.deliver(raw_alert()).json_body["results"]
    admin = Api(api.client, api.settings, roles="admin")
    where = f"/autoheal/actions/{result['actionId']}/{path}"
    assert api("POST", where).status_code == 403
    assert admin("POST", where).status_code == 409
    assert admin("POST", f"/autoheal/actions/{uuid4()}/{path}").status_code == 404
