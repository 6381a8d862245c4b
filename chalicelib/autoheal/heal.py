"""Taking in a delivery of alerts: each becomes an action, or a reason why not.

Alertmanager repeats deliveries that were not answered with 200, and alerts that still fire.
So handling an alert again changes nothing: an episode's attempt has one id, one lock and one
slot in the fleet, claimed in one transaction, and fifty deliveries at once send one command.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chalicelib.autoheal.actions import Result
from chalicelib.autoheal.alert import Alert, Unreadable, parse_delivery
from chalicelib.autoheal.alert_handler import AlertHandler
from chalicelib.autoheal.audit import AuditEvent, Kind
from chalicelib.autoheal.decide import History
from chalicelib.autoheal.dependencies import Dependencies
from chalicelib.autoheal.modes import Config
from chalicelib.autoheal.outcome import Outcome
from chalicelib.autoheal.records import change_record
from chalicelib.shared.errors import BadGateway
from chalicelib.telemetry import logs, names

RESERVED_SECONDS = 5.0
"""How much of the request's time is kept for answering. Alertmanager repeats what is left."""
HISTORIES_AT_ONCE = 50
"""How many alerts' histories are read together."""
AUDITED_LABELS = ("service", "job", "instance", "severity")
"""Labels that are recorded of an alert that was skipped."""


@dataclass
class Received:
    """The outcome of a delivery. Where it is not `complete`, it must be sent again."""

    outcomes: list[Outcome] = field(default_factory=list)
    complete: bool = True
    problem: str = ""


class Healer:
    """Takes in deliveries of Alertmanager's webhook."""

    def __init__(self, dependencies: Dependencies) -> None:
        """Work with `dependencies`."""
        self._dependencies = dependencies
        self._handler = AlertHandler(dependencies)

    def receive(self, body: bytes, *, seconds: float) -> Received:
        """Handle a webhook call within `seconds`, less a reserve, or within the policy's limit.

        Raises:
            errors.Invalid: the body is not a payload of Alertmanager's.
            errors.Unavailable: the store cannot be reached.
        """
        dependencies = self._dependencies
        clock = dependencies.clock
        limit = min(seconds - RESERVED_SECONDS, dependencies.policy.webhook_seconds)
        deadline = clock.monotonic() + limit
        delivery = parse_delivery(body)
        config = dependencies.config()
        received = Received()
        alerts = list(delivery.alerts)
        if delivery.truncated:
            alerts += self._left_out(alerts, delivery.group, received)
        details = {"alerts": len(alerts), "truncated": delivery.truncated}
        events = [AuditEvent(clock.now(), Kind.WEBHOOK_RECEIVED, details=details)]
        events += self._handle_all(alerts, config, deadline, received)
        increments = change_record(*events).increments
        for outcome in received.outcomes:
            if outcome.result is Result.COOLDOWN_SKIP:
                result = str(outcome.result)
                increments.add(names.AUTOHEAL_ACTIONS, alertname=outcome.alert, result=result)
        dependencies.record(events, increments)
        logs.info(
            names.AUTOHEAL_DELIVERY,
            alerts=len(alerts),
            handled=len(received.outcomes),
            complete=received.complete,
        )
        return received

    def _handle_all(
        self,
        alerts: Sequence[Alert | Unreadable],
        config: Config,
        deadline: float,
        received: Received,
    ) -> list[AuditEvent]:
        """Handle `alerts` until `deadline`; return the audit events of those without an action."""
        clock = self._dependencies.clock
        events = []
        for alert, history in self._with_history(_rotated(alerts)):
            left = deadline - clock.monotonic()
            if left <= 0:
                received.complete = False
                received.problem = "out of time"
                break
            outcome = self._outcome(alert, history, config, left)
            received.outcomes.append(outcome)
            if outcome.action is None:
                details = _skip_details(alert, outcome)
                event = AuditEvent(clock.now(), Kind.DECISION_SKIP, outcome.alert, details)
                events.append(event)
        return events

    def _outcome(
        self,
        alert: Alert | Unreadable,
        history: History | None,
        config: Config,
        seconds: float,
    ) -> Outcome:
        if isinstance(alert, Unreadable):
            return Outcome(alert.name, Result.ERROR, alert.problem)
        return self._handler.handle(alert, config, seconds=seconds, history=history)

    def _with_history(
        self, alerts: Sequence[Alert | Unreadable]
    ) -> Iterator[tuple[Alert | Unreadable, History | None]]:
        """Yield each alert with its history, reading many at once: a storm costs few calls."""
        for start in range(0, len(alerts), HISTORIES_AT_ONCE):
            group = alerts[start : start + HISTORIES_AT_ONCE]
            keys = [self._history_key(alert) for alert in group]
            asked = [key for key in keys if key is not None]
            now = self._dependencies.clock.now()
            read = self._dependencies.store.histories(asked, now)
            histories = dict(zip(asked, read, strict=True))
            for alert, key in zip(group, keys, strict=True):
                yield alert, None if key is None else histories[key]

    def _history_key(self, alert: Alert | Unreadable) -> tuple[str, str] | None:
        return None if isinstance(alert, Unreadable) else self._handler.history_key(alert)

    def _left_out(
        self,
        alerts: Sequence[Alert | Unreadable],
        group: Mapping[str, str],
        received: Received,
    ) -> list[Alert]:
        """Return the firing alerts of `group` that the delivery left out."""
        try:
            firing = self._dependencies.alerts.alerts(group)
        except BadGateway as problem:
            logs.warning(names.AUTOHEAL_TROUBLE, cause=problem.cause)
            received.complete = False
            received.problem = "the alerts that were left out cannot be fetched"
            return []
        delivered = {alert.episode for alert in alerts if isinstance(alert, Alert)}
        return [alert for alert in firing if alert.episode not in delivered]


def _rotated(alerts: Sequence[Alert | Unreadable]) -> list[Alert | Unreadable]:
    """Return `alerts`, starting with a random group of them.

    A delivery that is too large to be handled in time is repeated in the same order; without
    this, its last alerts would never be handled.
    """
    start = random.randrange(0, max(len(alerts), 1), HISTORIES_AT_ONCE)  # noqa: S311
    return [*alerts[start:], *alerts[:start]]


def _skip_details(alert: Alert | Unreadable, outcome: Outcome) -> dict[str, Any]:
    details: dict[str, Any] = {"reason": outcome.reason, "result": str(outcome.result)}
    if isinstance(alert, Alert):
        labels = {name: alert.labels[name] for name in AUDITED_LABELS if name in alert.labels}
        details |= {"episode": alert.episode, "status": str(alert.status), "labels": labels}
    return details
