"""Builders of what the healer's tests need: alerts as Alertmanager sends them, a healer on given parts."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from chalicelib.autoheal import runbooks
from chalicelib.autoheal.acknowledge import Acknowledger
from chalicelib.autoheal.alert import Alert, read
from chalicelib.autoheal.desk import Desk
from chalicelib.autoheal.heal import Healer, Outcome
from chalicelib.autoheal.modes import Config, Mode
from chalicelib.autoheal.policy import Parts, Policy
from chalicelib.autoheal.runbooks import Runbook
from chalicelib.autoheal.settle import Settled, Settler
from chalicelib.clock import rfc3339
from tests.fakes import START, FakeClock
from tests.fakes_autoheal import (
    FakeAlertmanager,
    FakeAudit,
    FakeCommander,
    FakeEscalation,
    FakeHealStore,
    FakeMetricsLedger,
    FakePlaces,
)

LIVE = Config(Mode.LIVE)
TCP = "TcpEndpointDownFast"
MINUTE = timedelta(minutes=1)


def raw_alert(
    name: str = TCP,
    *,
    status: str = "firing",
    wanted: str | None = "true",
    starts_at: datetime = START,
    fingerprint: str = "00000000000000a1",
    **labels: str,
) -> dict[str, Any]:
    """Return an alert as Alertmanager sends it."""
    return {
        "status": status,
        "labels": {"alertname": name, "service": "crm-api", "instance": "10.0.0.7:8080", **labels},
        "annotations": {} if wanted is None else {"autoheal": wanted},
        "startsAt": rfc3339(starts_at),
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.test/graph",
        "fingerprint": fingerprint,
    }


def alert(name: str = TCP, **values: Any) -> Alert:
    """Return an alert."""
    found = read(raw_alert(name, **values))
    assert isinstance(found, Alert)
    return found


def delivery(*alerts: Mapping[str, Any], **more: Any) -> bytes:
    """Return a webhook call."""
    payload = {
        "version": "4",
        "groupKey": "{}:{}",
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "autoheal",
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.test",
        "alerts": list(alerts),
        **more,
    }
    return json.dumps(payload).encode()


def changed(name: str = TCP, **values: Any) -> dict[str, Runbook]:
    """Return the product's runbooks, one of them changed."""
    known = dict(runbooks.load())
    return known | {name: known[name].model_copy(update=values)}


@dataclass
class World:
    """A healer on fakes."""

    clock: FakeClock = field(default_factory=FakeClock)
    audit: FakeAudit = field(default_factory=FakeAudit)
    ledger: FakeMetricsLedger = field(default_factory=FakeMetricsLedger)
    alertmanager: FakeAlertmanager = field(default_factory=FakeAlertmanager)
    escalation: FakeEscalation = field(default_factory=FakeEscalation)
    policy: Policy = field(default_factory=lambda: Policy(deployed=LIVE))
    runbooks: dict[str, Runbook] = field(default_factory=lambda: dict(runbooks.load()))

    def __post_init__(self) -> None:
        self.store = FakeHealStore(self.clock, self.audit, self.ledger)
        self.commander = FakeCommander(self.clock)
        self.places = FakePlaces(self.clock)

    @property
    def parts(self) -> Parts:
        return Parts(
            self.store,
            self.audit,
            self.ledger,
            self.commander,
            self.alertmanager,
            self.escalation,
            self.clock,
            self.policy,
            self.runbooks,
        )

    @property
    def desk(self) -> Desk:
        return Desk(self.parts)

    @property
    def acknowledger(self) -> Acknowledger:
        return Acknowledger(self.parts, self.places)

    def tuned(self, **values: Any) -> "World":
        self.policy = replace(self.policy, **values)
        return self

    def receive(self, *alerts: Mapping[str, Any], seconds: float = 28, **more: Any) -> list[Outcome]:
        received = Healer(self.parts).receive(delivery(*alerts, **more), seconds=seconds)
        assert received.complete, received.problem
        return received.outcomes

    def one(self, raw: Mapping[str, Any]) -> Outcome:
        return self.receive(raw)[0]

    def tick(self, seconds: float = 50) -> Settled:
        return Settler(self.parts).run(seconds)

    def later(self, seconds: float) -> None:
        self.clock.seconds += seconds

    def total(self, metric: str, **labels: str) -> float:
        wanted = labels.items()
        return sum(v for s, v in self.ledger.values.items() if s.metric == metric and set(wanted) <= set(s.labels))
