"""The healer deployed: a real Alertmanager drives it, a service is really restarted; no database, no broker."""

from datetime import UTC, datetime, timedelta

import pytest
import requests

from tests.e2e.healer import OPERATORS, SCHEDULED, TCP, System, until
from tests.e2e.healer import system as system

pytestmark = pytest.mark.e2e


def test_the_template_brought_the_tables(system: System) -> None:
    found = system.emulator.client("dynamodb").list_tables()["TableNames"]
    wanted = {
        f"aetherlink-autoheal-local-{name}" for name in ("state", "actions", "audit", "ledger")
    }
    assert wanted <= set(found)


def test_an_alert_drives_a_restart_and_its_end_verifies_the_cure(system: System) -> None:
    assert system.ask("GET", "/")["enabled"] is False
    system.ask("PUT", "/autoheal/config", {"mode": "live"})
    system.services.kill("crm-api")
    until(lambda: not system.services.answers("crm-api"))
    since = datetime.now(UTC) - timedelta(seconds=1)
    system.fire(TCP, since=since)
    [action] = until(system.actions)
    until(lambda: system.services.answers("crm-api"))
    assert (action["alertname"], action["attempt"]) == (TCP["alertname"], 1)
    system.fire(TCP, over=True, since=since)
    done = system.emulator.invoke("AutohealTick", SCHEDULED)
    assert done["troubles"] == 0, done
    until(lambda: system.actions()[0]["state"] == "SUCCEEDED")
    assert len(system.actions()) == 1
    for kind in ("action_ok", "action_sent", "action_eligible"):
        assert system.audit(kind=kind, contains="crm-api"), kind


def test_the_healer_s_own_alerts_never_reach_it(system: System) -> None:
    labels = {"alertname": "AutohealServiceDown", "severity": "critical"}
    system.fire(labels, since=datetime.now(UTC))
    listed = requests.get(f"{system.alertmanager.url}/api/v2/alerts", timeout=10).json()
    [mine] = [one for one in listed if one["labels"]["alertname"] == labels["alertname"]]
    assert [one["name"] for one in mine["receivers"]] == ["chat"]
    later = {**TCP, "service": "later"}
    system.fire(later, wanted=False)
    assert system.reason("later") == "not_annotated"
    assert system.ask("GET", "/audit?alertname=AutohealServiceDown")["events"] == []


def test_the_metrics_are_those_of_all_functions(system: System) -> None:
    text = requests.get(
        f"{system.api}/metrics",
        headers={"X-Tenant-Id": str(OPERATORS), "X-Roles": "ops"},
        timeout=30,
    ).text
    assert 'autoheal_actions_total{alertname="TcpEndpointDownFast",result="executed"} 1' in text
    assert 'autoheal_event_total{kind="heartbeat"}' in text
