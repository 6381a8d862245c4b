"""What the healer's use cases depend on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chalicelib.autoheal.audit import AuditEvent
from chalicelib.autoheal.modes import Config
from chalicelib.autoheal.policy import AutohealPolicy
from chalicelib.autoheal.ports import (
    AlertSource,
    AuditLog,
    Commander,
    Escalation,
    HealStore,
)
from chalicelib.autoheal.runbooks import Runbook
from chalicelib.autoheal.timing import WriteTimes
from chalicelib.shared.clock import Clock
from chalicelib.telemetry.increments import Increments
from chalicelib.telemetry.totals import MetricTotals


@dataclass(frozen=True, slots=True)
class Dependencies:
    """The ports, the policy and the runbooks, and what all use cases do with them."""

    store: HealStore
    audit: AuditLog
    totals: MetricTotals
    commander: Commander
    alerts: AlertSource
    escalation: Escalation
    clock: Clock
    policy: AutohealPolicy
    runbooks: Mapping[str, Runbook]
    times: WriteTimes = field(default_factory=WriteTimes)

    def config(self) -> Config:
        """Return the configuration in force, read consistently."""
        return self.store.config() or self.policy.deployed

    def record(self, events: Sequence[AuditEvent], increments: Increments) -> None:
        """Append `events`, and add `increments` and the measured write times to the totals.

        Raises:
            errors.Unavailable: the audit log or the totals cannot be reached.
        """
        if events:
            self.times.timed(self.clock, lambda: self.audit.append(events))
        self.totals.add(self.times.drain_into(increments))
