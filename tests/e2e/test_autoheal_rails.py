"""Each limit of the deployed healer, met by alerts that a real Alertmanager delivers."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from infra.local.alertmanager import Alertmanager
from infra.local.ports import free_port
from tests.e2e.healer import TCP, Healer
from tests.e2e.routing import start_quickly
from tests.e2e.waiting import until

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.usefixtures("starting_stack"),  # what the next modules need
]
MAX_ALERTS = 500
"""As many alerts as the configuration puts into one payload."""
OPEN_STATES = ("DISPATCHING", "RUNNING", "VERIFYING")


@pytest.fixture(autouse=True)
def live(healer: Healer) -> Iterator[None]:
    """Begin each test live, and end the alerts that it fired."""
    healer.call("PUT", "/autoheal/config", {"mode": "live"})
    yield
    healer.end_alerts()


@pytest.fixture
def start_another(healer: Healer, home: Path) -> Iterator[Callable[..., Alertmanager]]:
    """Return what starts one more Alertmanager whose webhook is the healer."""
    started: list[Alertmanager] = []

    def start() -> Alertmanager:
        another = Alertmanager(home / f"alertmanager-{uuid4().hex[:8]}", free_port())
        started.append(another)
        start_quickly(another, healer.webhook())
        return another

    yield start
    for alertmanager in started:
        alertmanager.stop()


def tcp(service: str, **labels: str) -> dict[str, str]:
    return {**TCP, "service": service, **labels}


def new_name() -> str:
    return f"x{uuid4().hex[:10]}"


def settle(healer: Healer, service: str) -> str:
    """Return the state of the newest action of `service` after a tick."""
    healer.tick()
    return str(healer.actions(service)[0]["state"])


def test_an_alert_without_the_annotation_is_left_alone(healer: Healer) -> None:
    service = new_name()
    healer.fire(tcp(service), annotated=False)
    assert healer.reason(service) == "not_annotated"
    assert not healer.actions(service)


def test_an_alert_without_a_runbook_is_left_alone(
    healer: Healer, start_another: Callable[..., Alertmanager]
) -> None:
    service = new_name()
    healer.fire({"alertname": "Unknown", "service": service}, at=start_another())
    assert healer.reason(service) == "not_allowlisted"


def test_a_label_that_is_not_a_service_name_never_reaches_a_command(healer: Healer) -> None:
    service = f"x;reboot {uuid4().hex[:8]}"
    healer.fire(tcp(service))
    assert healer.reason(service.partition(" ")[2]) == "bad_parameters"
    assert healer.commands(service) == 0


def test_the_dry_run_says_what_it_would_do_and_the_switch_stops_all(healer: Healer) -> None:
    service = new_name()
    off = new_name()
    healer.call("PUT", "/autoheal/config", {"mode": "dry_run"})
    healer.fire(tcp(service))
    until(lambda: any(action["result"] for action in healer.actions(service)))
    [action] = healer.actions(service)
    assert action["dryRun"] is True
    assert action["result"] == "dry_run"
    assert action["command"] == f"AetherLink-RestartService:1 Service={service}"
    healer.call("PUT", "/autoheal/config", {"mode": "off"})
    healer.fire(tcp(off))
    assert healer.reason(off) == "disabled"
    assert healer.actions(off) == []
    assert healer.commands(service) == 0
    assert healer.commands(off) == 0


def test_two_alertmanagers_with_the_same_alert_get_one_command(
    healer: Healer, start_another: Callable[..., Alertmanager]
) -> None:
    another = start_another()
    before = healer.commands("crm-exporter")
    since = datetime.now(UTC)
    for alertmanager in (healer.alertmanager, another):
        healer.fire(tcp("crm-exporter", severity="page"), since=since, at=alertmanager)
    assert healer.reason("crm-exporter") == "in_progress"
    assert healer.commands("crm-exporter") == before + 1
    assert len(healer.actions("crm-exporter")) == 1
    for alertmanager in (healer.alertmanager, another):
        healer.fire(tcp("crm-exporter", severity="page"), since=since, over=True, at=alertmanager)
    until(lambda: settle(healer, "crm-exporter") == "SUCCEEDED")


def test_a_target_that_was_just_healed_is_left_alone_for_its_cooldown(healer: Healer) -> None:
    healer.fire(tcp("crm-exporter", severity="again"))
    assert until(lambda: healer.reason("again")) == "cooldown"


def test_an_alert_that_is_over_is_not_healed(healer: Healer) -> None:
    service = new_name()
    since = datetime.now(UTC) - timedelta(seconds=30)
    healer.call("PUT", "/autoheal/config", {"mode": "off"})
    healer.fire(tcp(service), since=since)
    assert healer.reason(service) == "disabled"
    healer.call("PUT", "/autoheal/config", {"mode": "live"})
    healer.fire(tcp(service), since=since, over=True)
    healer.await_reason(service, "resolved")
    assert not healer.actions(service)


def test_three_failures_open_the_breaker(healer: Healer) -> None:
    for _ in range(3):
        service = new_name()
        healer.fire({"alertname": "UptimeProbeFailing", "service": service})
        _await_failure(healer, service)
    last = new_name()
    healer.fire({"alertname": "UptimeProbeFailing", "service": last})
    assert healer.reason(last) == "breaker_open"
    breakers = healer.call("GET", "/autoheal/config")["breakers"]
    [breaker] = [breaker for breaker in breakers if breaker["runbook"] == "UptimeProbeFailing"]
    assert breaker["state"] == "open"


def _await_failure(healer: Healer, service: str) -> None:
    until(lambda: healer.actions(service))
    until(lambda: settle(healer, service) not in OPEN_STATES)
    assert healer.actions(service)[0]["state"] == "FAILED"


def test_the_budget_of_an_hour_is_kept(healer: Healer) -> None:
    healer.call("PUT", "/autoheal/config", {"mode": "dry_run"})
    for _ in range(4):
        job = _fire_stale_scrape(healer)
        until(lambda job=job: healer.actions(job))  # type: ignore[misc]
    assert healer.reason(_fire_stale_scrape(healer)) == "budget_spent"


def _fire_stale_scrape(healer: Healer) -> str:
    """Fire a scrape alert for a new job; return the job."""
    job = new_name()
    labels = {"alertname": "CrmMetricsScrapeStale", "job": job, "service": job}
    healer.fire({**labels, "instance": "127.0.0.1:8080"})
    return job


@pytest.mark.parametrize("count", [MAX_ALERTS, MAX_ALERTS + 10])
def test_every_alert_of_a_large_payload_is_decided_even_those_it_omits(
    healer: Healer, count: int
) -> None:
    healer.call("PUT", "/autoheal/config", {"mode": "off"})
    service = new_name()
    healer.fire(*[tcp(service, instance=f"i{number}") for number in range(count)])

    until(lambda: _decided(healer, service) >= count)
    # Alertmanager sends the whole group again until it has been delivered in one piece
    until(lambda: _largest_payload(healer) >= count)


def _largest_payload(healer: Healer) -> int:
    received = healer.call("GET", "/audit?kind=webhook_received&n=5")["events"]
    return max(int(event["alerts"]) for event in received)


def _decided(healer: Healer, service: str) -> int:
    events: list[Any] = healer.call("GET", "/audit?kind=decision_skip&n=5000")["events"]
    return len({event["episode"] for event in events if event["labels"]["service"] == service})


def test_with_dynamodb_down_the_alert_comes_again_and_is_healed_once(healer: Healer) -> None:
    service = new_name()
    healer.dynamodb.cut = True
    healer.dynamodb.disconnect()
    try:
        refused = healer.dynamodb.refused
        healer.fire(tcp(service))
        until(lambda: healer.dynamodb.refused > refused)
    finally:
        healer.dynamodb.cut = False
    until(lambda: healer.actions(service))
    assert len(healer.actions(service)) == 1
    assert healer.commands(service) == 1
