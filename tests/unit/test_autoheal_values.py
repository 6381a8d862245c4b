"""The healer's values: chaos, the state machine, runbooks, audit events and CSV, metrics."""

import csv
import io
import itertools
import json
from datetime import timedelta
from uuid import uuid4

import pytest
from pydantic import ValidationError

from chalicelib.autoheal import chaos, runbooks
from chalicelib.autoheal.actions import EDGES, ENDS, Action, State, action_id
from chalicelib.autoheal.alert import Alert, Unreadable, parse_delivery, read
from chalicelib.autoheal.audit import AuditEvent, Kind, as_csv, guarded
from chalicelib.autoheal.metrics import series
from chalicelib.shared.errors import Conflict, Invalid, Unavailable
from chalicelib.telemetry import names
from chalicelib.telemetry.catalog import CRM
from chalicelib.telemetry.exposition import render
from chalicelib.telemetry.increments import Increments
from chalicelib.telemetry.pusher import publish
from chalicelib.telemetry.series import Series
from tests.builders.alerts import TCP, alert, delivery, raw_alert
from tests.builders.autoheal import HealerWorld
from tests.fakes.clock import START
from tests.fakes.pusher import FakePusher


@pytest.mark.parametrize(
    ("percent", "low", "high"), [(10, 800, 1_200), (5, 350, 650), (0, 0, 0), (1, 50, 150)]
)
def test_chaos_fails_the_configured_share_of_actions(percent: float, low: int, high: int) -> None:
    struck = sum(
        chaos.strikes("seed", action_id(f"episode-{n}", 1), percent) for n in range(10_000)
    )
    assert low <= struck <= high


def test_chaos_fails_the_same_actions_every_time_and_more_at_a_higher_rate() -> None:
    ids = [action_id(f"episode-{n}", 1) for n in range(1_000)]
    struck = {action for action in ids if chaos.strikes("seed", action, 5)}
    assert struck == {action for action in ids if chaos.strikes("seed", action, 5)}
    assert struck < {action for action in ids if chaos.strikes("seed", action, 10)}


def _action(state: State) -> Action:
    return Action(uuid4(), "e", 1, TCP, {}, "t=x", "cmd", {}, state, 1, START, START)


def test_only_defined_transitions_are_possible() -> None:
    for before, after in itertools.product(State, State):
        if after in EDGES.get(before, ()):
            moved = _action(before).moved(after, START)
            assert (moved.state, moved.version) == (after, 2)
        else:
            with pytest.raises(Conflict):
                _action(before).moved(after, START)


def test_every_state_is_reachable_and_every_path_ends() -> None:
    reached = set[State]()
    frontier = {State.PLANNED, State.AWAITING_APPROVAL}
    while frontier:
        reached |= frontier
        frontier = {after for state in frontier for after in EDGES.get(state, ())} - reached
    assert reached == set(State)
    assert {
        State.SUCCEEDED,
        State.INEFFECTIVE,
        State.FAILED,
        State.TIMED_OUT,
        State.CANCELLED,
        State.UNKNOWN,
    } == ENDS


def test_an_attempt_has_the_same_id_each_time_it_is_planned() -> None:
    first = alert()
    assert action_id(first.episode, 1) == action_id(alert().episode, 1)
    assert (
        len(
            {
                action_id(first.episode, 1),
                action_id(first.episode, 2),
                action_id("other", 1),
            }
        )
        == 3
    )


def test_there_are_three_runbooks_and_one_for_drills() -> None:
    product = runbooks.load()
    assert {name for name, runbook in product.items() if not runbook.drill} == {
        TCP,
        "UptimeProbeFailing",
        "CrmMetricsScrapeStale",
    }
    assert {name for name, runbook in product.items() if runbook.drill} == {"DrillTargetDown"}
    assert not runbooks.apply(
        product["DrillTargetDown"], alert("DrillTargetDown", service="crm-api")
    )
    plan = runbooks.apply(
        product["CrmMetricsScrapeStale"], alert("CrmMetricsScrapeStale", job="crm-exporter")
    )
    assert plan
    assert (plan.target, plan.parameters) == (
        "AetherLinkService=crm-exporter",
        {"Service": "crm-exporter", "Port": "8080"},
    )


@pytest.mark.parametrize(
    "change",
    [
        {"alertname": "AutohealServiceDown"},
        {"document": "AWS-RunShellScript"},
        {"documentVersion": "$LATEST"},
        {"target": {"tag": "t", "label": "l", "pattern": "[a-z]+"}},
        {"parameters": {"Service": {"label": "l", "pattern": "^(a)(b)$"}}},
        {"unknown": 1},
    ],
)
def test_an_unsafe_runbook_is_refused(change: dict[str, object]) -> None:
    listed = json.loads(runbooks.SOURCE.read_text())
    with pytest.raises(ValidationError):
        runbooks.parse(json.dumps([listed[0] | change]).encode())
    with pytest.raises(ValueError, match="two runbooks"):
        runbooks.parse(json.dumps([listed[0], listed[0]]).encode())


def test_a_value_with_a_trailing_line_end_does_not_match() -> None:
    source = runbooks.FromLabel(label="service", pattern="^[a-z]+$")
    assert source.value({"service": "abc\n"}) is None
    assert source.value({}) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"alerts": {}}',
        b"[" * 100_000,
        b"\xff",
        b'{"alerts":[],"truncatedAlerts":-1}',
    ],
)
def test_an_invalid_delivery_is_refused(body: bytes) -> None:
    with pytest.raises(Invalid):
        parse_delivery(body)


def test_too_many_alerts_are_refused() -> None:
    with pytest.raises(Invalid):
        parse_delivery(delivery(*[raw_alert()] * 2_001))


@pytest.mark.parametrize(
    ("value", "same"),
    [
        ("2030-01-01T00:00:00Z", True),
        ("2030-01-01T02:00:00.000000000+02:00", True),
        ("2030-01-01T00:00:00.000000999Z", True),
        ("2030-01-01T00:00:01Z", False),
    ],
)
def test_an_episode_does_not_depend_on_the_format_of_its_start(value: str, same: bool) -> None:
    parsed = read(raw_alert() | {"startsAt": value})
    assert isinstance(parsed, Alert)
    assert (parsed.episode == alert().episode) is same


@pytest.mark.parametrize(
    "value", [None, 7, "", "yesterday", "2030-02-31T00:00:00Z", "2030-01-01", "9" * 40]
)
def test_an_alert_without_a_start_is_unreadable(value: object) -> None:
    assert isinstance(read(raw_alert() | {"startsAt": value}), Unreadable)


@pytest.mark.parametrize("value", [None, "", "../../x", "A" * 16, "0" * 17, 7])
def test_an_invalid_fingerprint_is_replaced_by_one_of_the_labels(value: object) -> None:
    parsed = read(raw_alert() | {"fingerprint": value})
    other = read(raw_alert(service="z") | {"fingerprint": value})
    assert isinstance(parsed, Alert)
    assert isinstance(other, Alert)
    assert len(parsed.fingerprint) == 16
    assert parsed.fingerprint != other.fingerprint


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_no_cell_is_a_formula_to_a_spreadsheet(cell: str) -> None:
    assert guarded(cell) == f"'{cell}"
    text = as_csv([AuditEvent(START, Kind.ACK, cell)])
    assert (
        next(itertools.islice(csv.reader(io.StringIO(text, newline="")), 1, None))[2] == f"'{cell}"
    )


def test_csv_follows_rfc_4180() -> None:
    details = {"comment": 'a "quoted", line\nand another'}
    text = as_csv([AuditEvent(START, Kind.ACK, 'x,"y"', details)])
    assert text.startswith("time,kind,alertname,id,details\r\n")
    assert text.endswith("\r\n")
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert (rows[1][2], json.loads(rows[1][4])) == ('x,"y"', details)


def test_metrics_are_rendered_in_prometheus_text_format() -> None:
    adding = Increments().add(names.AUTOHEAL_ACTIONS, alertname='a"b\\c\nd', result="executed")
    adding.observe(names.AUTOHEAL_AUDIT_WRITE, 0.15).observe(names.AUTOHEAL_AUDIT_WRITE, 0.25)
    text = render(adding.values)
    assert 'autoheal_actions_total{alertname="a\\"b\\\\c\\nd",result="executed"} 1.0\n' in text
    assert 'autoheal_audit_write_seconds_bucket{le="0.1"} 0.0\n' in text
    assert 'autoheal_audit_write_seconds_bucket{le="0.2"} 1.0\n' in text
    assert 'autoheal_audit_write_seconds_bucket{le="+Inf"} 2.0\n' in text
    assert "autoheal_audit_write_seconds_sum 0.4\n" in text
    assert text.index("# TYPE autoheal_actions_total counter") < text.index(
        "autoheal_actions_total{"
    )


def test_a_series_can_be_read_from_its_key() -> None:
    series_of_bucket = Series(names.AUTOHEAL_AUDIT_WRITE, (("a", 'x"#|'), ("b", "")), "le=0.2")
    assert Series.read(series_of_bucket.key) == series_of_bucket


def test_every_counter_starts_at_zero() -> None:
    world = HealerWorld()
    pusher = FakePusher()
    publish(series(world.dependencies, "local"), pusher)
    text = pusher.groups["autoheal"]
    assert f'autoheal_actions_total{{alertname="{TCP}",result="chaos_injected_failure"}} 0' in text
    assert 'autoheal_event_total{kind="action_eligible"} 0' in text
    assert 'autoheal_enabled{env="local"} 1' in text
    assert 'autoheal_audit_write_seconds_bucket{le="0.2"} 0' in text


def test_every_route_has_error_counters_before_its_first_failure() -> None:
    text = render(series(HealerWorld().dependencies, "local", [("POST", "/api/crm/jobs")]), CRM)
    assert 'crm_http_requests_total{code="500",method="POST",route="/api/crm/jobs"} 0' in text
    assert 'crm_http_request_duration_seconds_bucket{code="200",le="0.5"} 0' in text
    assert "outbox_parked_total 0" in text


def test_the_remaining_cooldown_is_computed_when_metrics_are_read() -> None:
    world = HealerWorld()
    world.deliver(raw_alert())
    world.tick()
    remaining = Series(names.AUTOHEAL_COOLDOWN, (("alertname", TCP),))
    assert 590 <= series(world.dependencies, "local")[remaining] <= 600
    world.later(10_000)
    assert series(world.dependencies, "local")[remaining] == 0


def test_a_pushgateway_that_is_down_is_an_error_and_the_totals_stay() -> None:
    world = HealerWorld()
    pusher = FakePusher()
    world.deliver(raw_alert(autoheal=None))
    pusher.down = True
    with pytest.raises(Unavailable):
        publish(series(world.dependencies, "local"), pusher)
    pusher.down = False
    publish(series(world.dependencies, "local"), pusher)
    assert 'autoheal_event_total{kind="decision_skip"} 1' in pusher.groups["autoheal"]


def test_what_is_recorded_of_a_pause_is_not_an_age() -> None:
    adding = (
        Increments()
        .at(names.AUTOHEAL_LAST_EVENT, START)
        .at(names.AUTOHEAL_LAST_EVENT, START - timedelta(1))
    )
    assert adding.values == {Series(names.AUTOHEAL_LAST_EVENT): START.timestamp()}
