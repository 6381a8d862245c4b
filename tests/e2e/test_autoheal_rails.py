"""Each rail of the deployed healer, met by alerts that a real Alertmanager delivers."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from infra.local import alertmanager as part
from infra.local.alertmanager import Alertmanager
from infra.local.ports import free_port
from tests.conftest import CACHE
from tests.e2e.healer import SCHEDULED, TCP, System, until
from tests.e2e.healer import system as system

pytestmark = pytest.mark.e2e
GROUP = 500
"""As many alerts as the configuration lets into one payload."""


@pytest.fixture(autouse=True)
def live(system: System) -> Iterator[None]:
    """Begin each test live, and end what it fired."""
    system.ask("PUT", "/autoheal/config", {"mode": "live"})
    yield
    system.calm()


@pytest.fixture
def another(
    system: System, home: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Alertmanager]]:
    """Return what starts one more Alertmanager that drives the healer; `names` are routed to it besides."""
    started: list[Alertmanager] = []

    def start(names: str = "") -> Alertmanager:
        folder = home / f"alertmanager-{uuid4().hex[:8]}"
        if names:
            text = (part.CONFIGURATION / "alertmanager.yml").read_text()
            changed = text.replace(
                "TcpEndpointDownFast|UptimeProbeFailing|", f"{names}|TcpEndpointDownFast|"
            )
            assert changed != text
            (folder / "own").mkdir(parents=True)
            (folder / "own" / "alertmanager.yml").write_text(changed)
            for template in part.CONFIGURATION.glob("*.tmpl"):
                (folder / "own" / template.name).write_text(template.read_text())
            monkeypatch.setattr(part, "CONFIGURATION", folder / "own")
        started.append(Alertmanager(folder, free_port(), CACHE))
        started[-1].start(system.webhook())
        return started[-1]

    yield start
    for one in started:
        one.stop()


def tcp(service: str, **more: str) -> dict[str, str]:
    return {**TCP, "service": service, **more}


def name() -> str:
    return f"x{uuid4().hex[:10]}"


def test_an_alert_without_the_annotation_is_left_alone(system: System) -> None:
    service = name()
    system.fire(tcp(service), wanted=False)
    assert system.reason(service) == "not_annotated"
    assert not system.actions(service)


def test_an_alert_that_no_runbook_knows_is_left_alone(
    system: System, another: Callable[..., Alertmanager]
) -> None:
    service = name()
    system.fire({"alertname": "UnheardOf", "service": service}, at=another("UnheardOf"))
    assert system.reason(service) == "not_allowlisted"


def test_a_label_that_is_no_service_never_gets_further(system: System) -> None:
    service = f"x;reboot {uuid4().hex[:8]}"
    system.fire(tcp(service))
    assert system.reason(service.partition(" ")[2]) == "bad_parameters"
    assert system.commands(service) == 0


def test_the_dry_run_says_what_it_would_do_and_the_switch_stops_all(system: System) -> None:
    service = name()
    off = name()
    system.ask("PUT", "/autoheal/config", {"mode": "dry_run"})
    system.fire(tcp(service))
    until(lambda: [one for one in system.actions(service) if one["result"]])
    [action] = system.actions(service)
    assert (action["dryRun"], action["result"], action["command"]) == (
        True,
        "dry_run",
        f"AetherLink-RestartService:1 Service={service}",
    )
    system.ask("PUT", "/autoheal/config", {"mode": "off"})
    system.fire(tcp(off))
    assert system.reason(off) == "disabled"
    assert (system.actions(off), system.commands(service), system.commands(off)) == (
        [],
        0,
        0,
    )


def test_two_alertmanagers_that_tell_the_same_get_one_command(
    system: System, another: Callable[..., Alertmanager]
) -> None:
    other = another()
    before = system.commands("crm-exporter")
    since = datetime.now(UTC)
    for at in (system.alertmanager, other):
        system.fire(tcp("crm-exporter", severity="page"), since=since, at=at)
    assert system.reason("crm-exporter") == "in_progress"
    assert system.commands("crm-exporter") == before + 1
    assert len(system.actions("crm-exporter")) == 1
    for at in (system.alertmanager, other):
        system.fire(tcp("crm-exporter", severity="page"), since=since, over=True, at=at)
    until(lambda: _settled(system, "crm-exporter")["state"] == "SUCCEEDED")


def _settled(system: System, service: str) -> Any:
    assert system.emulator.invoke("AutohealTick", SCHEDULED)["troubles"] == 0
    return system.actions(service)[0]


def test_a_target_that_was_just_healed_is_left_alone_for_its_cooldown(
    system: System,
) -> None:
    system.fire(tcp("crm-exporter", severity="again"))
    assert until(lambda: system.reason("again")) == "cooldown"


def test_an_alert_that_is_over_is_not_healed(system: System) -> None:
    service = name()
    since = datetime.now(UTC) - timedelta(seconds=30)
    system.ask("PUT", "/autoheal/config", {"mode": "off"})
    system.fire(tcp(service), since=since)
    assert system.reason(service) == "disabled"
    system.ask("PUT", "/autoheal/config", {"mode": "live"})
    system.fire(tcp(service), since=since, over=True)
    until(lambda: system.reason(service) == "resolved")
    assert not system.actions(service)


def test_what_fails_three_times_opens_the_breaker(system: System) -> None:
    for number in range(3):
        service = name()
        labels = {"alertname": "UptimeProbeFailing", "service": service}
        system.fire(labels)
        until(partial(system.actions, service))
        assert until(partial(_ended, system, service)) == "FAILED", number
    last = name()
    system.fire({"alertname": "UptimeProbeFailing", "service": last})
    assert system.reason(last) == "breaker_open"
    [breaker] = [
        one
        for one in system.ask("GET", "/autoheal/config")["breakers"]
        if one["runbook"] == "UptimeProbeFailing"
    ]
    assert breaker["state"] == "open"


def _ended(system: System, service: str) -> str:
    state = str(_settled(system, service)["state"])
    return state if state not in ("DISPATCHING", "RUNNING", "VERIFYING") else ""


def test_an_hour_s_budget_is_kept(system: System) -> None:
    system.ask("PUT", "/autoheal/config", {"mode": "dry_run"})
    for number in range(5):
        job = name()
        system.fire(
            {
                "alertname": "CrmMetricsScrapeStale",
                "job": job,
                "service": job,
                "instance": "127.0.0.1:8080",
            }
        )
        if number < 4:
            until(partial(system.actions, job))
    assert system.reason(job) == "budget_spent"


@pytest.mark.parametrize("count", [GROUP, GROUP + 10])
def test_a_payload_of_hundreds_and_what_it_leaves_out_are_all_decided(
    system: System, count: int
) -> None:
    system.ask("PUT", "/autoheal/config", {"mode": "off"})
    service = name()
    system.fire(*[tcp(service, instance=f"i{number}") for number in range(count)])

    until(lambda: _decided(system, service) >= count)
    largest = max(
        one["alerts"] for one in system.ask("GET", "/audit?kind=webhook_received&n=5")["events"]
    )
    assert largest >= count


def _decided(system: System, service: str) -> int:
    events = system.ask("GET", "/audit?kind=decision_skip&n=5000")["events"]
    return len({one["episode"] for one in events if one["labels"]["service"] == service})


def test_with_dynamodb_away_the_alert_comes_again_and_is_healed_once(
    system: System,
) -> None:
    service = name()
    system.dynamodb.cut = True
    system.dynamodb.disconnect()
    try:
        refused = system.dynamodb.refused
        system.fire(tcp(service))
        until(lambda: system.dynamodb.refused > refused)
    finally:
        system.dynamodb.cut = False
    until(lambda: system.actions(service))
    assert len(system.actions(service)) == 1
    assert system.commands(service) == 1
