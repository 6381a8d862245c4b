"""The webhook over HTTP, on a real DynamoDB API, with commands that really run."""

import threading
from datetime import UTC, datetime

import pytest

from chalicelib.autoheal.heal import Healer
from chalicelib.autoheal.settle import Settler
from chalicelib.bootstrap import container
from infra.local.demo_services import FAIL, DemoServices
from infra.local.ports import free_port
from infra.local.ssm import LocalSsm
from tests.builders.alerts import TCP, delivery, raw_alert
from tests.conftest import Compose
from tests.integration.autoheal.api import WEBHOOK, Api


def test_an_alert_restarts_the_service_and_the_recovery_is_verified(
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
    kinds = [event["kind"] for event in api("GET", "/audit").json_body["events"]]
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
def test_the_webhook_requires_its_token(api: Api, sent: str) -> None:
    answer = api("POST", "/autoheal/alert", delivery(raw_alert()), headers={"Authorization": sent})
    assert (answer.status_code, answer.json_body["code"]) == (401, "unauthenticated")
    assert api("GET", "/audit").json_body["count"] == 0


def test_both_tokens_are_accepted_while_one_replaces_the_other(api: Api) -> None:
    for token in ("old-token", "new-token"):
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        assert api("POST", "/autoheal/alert", delivery(), headers=headers).status_code == 200


def test_a_delivery_of_two_megabytes_is_accepted_and_one_more_byte_is_not(api: Api) -> None:
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
