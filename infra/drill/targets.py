"""What a drill breaks: demo services of its own, each with its machine, removed at its end."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from chalicelib.autoheal import chaos
from chalicelib.autoheal.actions import action_id
from chalicelib.autoheal.alert import Alert, Status
from infra.local.demo_services import DemoServices
from infra.local.ports import free_port
from infra.local.stack import Stack

MANY = 10
"""Targets of the act with chaos: at 10 % exactly one of their actions fails."""
DRILL_ALERT = "DrillTargetDown"
DRILL_LABEL = {"drill": "true"}
"""Alertmanager sends alerts with this label to the healer alone."""
FNV_OFFSET = 0xCBF29CE484222325
FNV_PRIME = 0x100000001B3
SEPARATOR = 0xFF
MAX_TRIES = 10_000


@dataclass(frozen=True)
class Targets:
    """The services of one drill: `main` runs, `many` are down.

    Each drill has new ones, because the healer's cooldown protects a target it has just healed.
    """

    services: DemoServices
    main: str
    many: tuple[str, ...]

    def address(self, name: str) -> str:
        """Return a service's `host:port`."""
        return f"127.0.0.1:{self.services.ports[name]}"


@contextmanager
def demo_targets(stack: Stack) -> Iterator[Targets]:
    """Provide the targets, and their machines, until the end of the block."""
    services = stack.healing.services
    ssm = stack.healing.ssm
    mark = uuid4().hex[:6]
    main = f"drill-{mark}-main"
    many = tuple(f"drill-{mark}-{number}" for number in range(MANY))
    names = (main, *many)
    machines: list[str] = []
    try:
        services.join({name: free_port() for name in names})
        machines = ssm.enrol(names)
        services.restart(main)
        yield Targets(services, main, many)
    finally:
        services.leave(names)
        ssm.discharge(machines)


@dataclass(frozen=True, slots=True)
class Case:
    """An alert that the drill sends: its target, its start, and whether its action is to fail."""

    target: str
    since: datetime
    fails: bool

    @property
    def labels(self) -> dict[str, str]:
        """Return the alert's labels."""
        return {
            "alertname": DRILL_ALERT,
            "service": self.target,
            "severity": "warning",
            **DRILL_LABEL,
        }

    @property
    def action(self) -> str:
        """Return the id of the action that heals it, as the healer will name it."""
        return str(_action(self.labels, self.since))

    def alert(self, *, over: bool = False) -> dict[str, object]:
        """Return it as Alertmanager takes it."""
        ends = {"endsAt": datetime.now(UTC).isoformat()} if over else {}
        notes = {"autoheal": "true", "summary": f"{self.target} is down, in a drill"}
        return {
            "labels": self.labels,
            "annotations": notes,
            "startsAt": self.since.isoformat(),
            **ends,
        }


def make_case(target: str, seed: str, percent: float, *, fails: bool) -> Case:
    """Return a case whose action chaos fails at `percent`, or does not.

    The healer decides by the action's id, which depends on when the alert began: among the
    last milliseconds the drill finds one that suits. So the share of failures is exactly
    the one that was set, however few actions there are.
    """
    now = datetime.now(UTC)
    now = now.replace(microsecond=now.microsecond // 1_000 * 1_000)
    for earlier in range(1, MAX_TRIES):
        candidate = Case(target, now - timedelta(milliseconds=earlier), fails)
        if chaos.strikes(seed, _action(candidate.labels, candidate.since), percent) == fails:
            return candidate
    raise ValueError(f"{percent} % fail nothing among {MAX_TRIES} alerts")


def fingerprint(labels: dict[str, str]) -> str:
    """Return Alertmanager's fingerprint of `labels`: FNV-1a of the sorted labels, in hex."""
    digest = FNV_OFFSET
    for name in sorted(labels):
        for byte in (*name.encode(), SEPARATOR, *labels[name].encode(), SEPARATOR):
            digest = ((digest ^ byte) * FNV_PRIME) & 0xFFFFFFFFFFFFFFFF
    return f"{digest:016x}"


def _action(labels: dict[str, str], since: datetime) -> UUID:
    alert = Alert(labels["alertname"], Status.FIRING, labels, True, since, fingerprint(labels))
    return action_id(alert.episode, 1)
