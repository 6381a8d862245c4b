"""The deployed healer, driven by a real Alertmanager, without a database or a broker."""

from datetime import UTC, datetime, timedelta

import pytest
import requests

from tests.e2e.healer import OPERATORS, TCP, Healer
from tests.e2e.waiting import until

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.usefixtures("starting_stack"),  # what the next modules need
]


def test_the_template_creates_the_tables(healer: Healer) -> None:
    tables = healer.emulator.client("dynamodb").list_tables()["TableNames"]
    names = ("state", "actions", "audit", "ledger")
    assert {f"aetherlink-autoheal-local-{name}" for name in names} <= set(tables)


def test_an_alert_drives_a_restart_and_its_end_verifies_it(healer: Healer) -> None:
    assert healer.call("GET", "/")["enabled"] is False
    healer.call("PUT", "/autoheal/config", {"mode": "live"})
    healer.services.kill("crm-api")
    until(lambda: not healer.services.answers("crm-api"))
    since = datetime.now(UTC) - timedelta(seconds=1)
    healer.fire(TCP, since=since)
    [action] = until(healer.actions)
    until(lambda: healer.services.answers("crm-api"))
    assert (action["alertname"], action["attempt"]) == (TCP["alertname"], 1)
    healer.fire(TCP, over=True, since=since)
    healer.tick()
    until(lambda: healer.actions()[0]["state"] == "SUCCEEDED")
    assert len(healer.actions()) == 1
    for kind in ("action_ok", "action_sent", "action_eligible"):
        assert healer.audit(kind=kind, contains="crm-api"), kind


def test_the_healer_s_own_alerts_never_reach_it(healer: Healer) -> None:
    labels = {"alertname": "AutohealServiceDown", "severity": "critical"}
    healer.fire(labels, since=datetime.now(UTC))
    [own] = [a for a in healer.alerts() if a["labels"]["alertname"] == labels["alertname"]]
    assert [receiver["name"] for receiver in own["receivers"]] == ["chat"]
    healer.fire({**TCP, "service": "later"}, annotated=False)
    assert healer.reason("later") == "not_annotated"
    assert healer.call("GET", "/audit?alertname=AutohealServiceDown")["events"] == []


def test_the_metrics_are_those_of_all_functions(healer: Healer) -> None:
    text = requests.get(
        f"{healer.api}/metrics",
        headers={"X-Tenant-Id": str(OPERATORS), "X-Roles": "ops"},
        timeout=30,
    ).text
    assert 'autoheal_actions_total{alertname="TcpEndpointDownFast",result="executed"} 1' in text
    assert 'autoheal_event_total{kind="heartbeat"}' in text
