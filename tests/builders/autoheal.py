"""A healer on fakes."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from chalicelib.autoheal import runbooks
from chalicelib.autoheal.acknowledge import Acknowledger
from chalicelib.autoheal.admin import AutohealAdmin
from chalicelib.autoheal.dependencies import Dependencies
from chalicelib.autoheal.heal import Healer
from chalicelib.autoheal.modes import Config, Mode
from chalicelib.autoheal.outcome import Outcome
from chalicelib.autoheal.policy import AutohealPolicy
from chalicelib.autoheal.runbooks import Runbook
from chalicelib.autoheal.settle import Settled, Settler
from tests.builders.alerts import delivery
from tests.fakes.alertmanager import FakeAlertmanager
from tests.fakes.audit import FakeAudit
from tests.fakes.clock import FakeClock
from tests.fakes.commander import FakeCommander
from tests.fakes.escalation import FakeEscalation
from tests.fakes.heal_store import FakeHealStore
from tests.fakes.metric_totals import FakeMetricTotals
from tests.fakes.silence_registry import FakeSilenceRegistry

LIVE = Config(Mode.LIVE)


MINUTE = timedelta(minutes=1)


@dataclass
class HealerWorld:
    """A healer on fakes."""

    clock: FakeClock = field(default_factory=FakeClock)
    audit: FakeAudit = field(default_factory=FakeAudit)
    totals: FakeMetricTotals = field(default_factory=FakeMetricTotals)
    alertmanager: FakeAlertmanager = field(default_factory=FakeAlertmanager)
    escalation: FakeEscalation = field(default_factory=FakeEscalation)
    policy: AutohealPolicy = field(
        default_factory=lambda: AutohealPolicy(enabled=True, dry_run=False)
    )
    runbooks: dict[str, Runbook] = field(default_factory=lambda: dict(runbooks.load()))

    def __post_init__(self) -> None:
        self.store = FakeHealStore(self.clock, self.audit, self.totals)
        self.commander = FakeCommander(self.clock)
        self.silences = FakeSilenceRegistry(self.clock)

    @property
    def dependencies(self) -> Dependencies:
        return Dependencies(
            self.store,
            self.audit,
            self.totals,
            self.commander,
            self.alertmanager,
            self.escalation,
            self.clock,
            self.policy,
            self.runbooks,
        )

    @property
    def admin(self) -> AutohealAdmin:
        return AutohealAdmin(self.dependencies)

    @property
    def acknowledger(self) -> Acknowledger:
        return Acknowledger(self.dependencies, self.silences)

    def tuned(self, **values: Any) -> "HealerWorld":
        self.policy = replace(self.policy, **values)
        return self

    def receive(
        self, *alerts: Mapping[str, Any], seconds: float = 28, **more: Any
    ) -> list[Outcome]:
        received = Healer(self.dependencies).receive(delivery(*alerts, **more), seconds=seconds)
        assert received.complete, received.problem
        return received.outcomes

    def deliver(self, raw: Mapping[str, Any]) -> Outcome:
        return self.receive(raw)[0]

    def tick(self, seconds: float = 50) -> Settled:
        return Settler(self.dependencies).run(seconds)

    def later(self, seconds: float) -> None:
        self.clock.seconds += seconds

    def total(self, metric: str, **labels: str) -> float:
        pairs = set(labels.items())
        return sum(
            value
            for series, value in self.totals.values.items()
            if series.metric == metric and pairs <= set(series.labels)
        )
