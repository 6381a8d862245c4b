"""What a drill breaks: demo services of its own, each with its machine, gone again when the drill is over."""

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

WARD = 10
"""Patients of the act with failures on purpose: one of so many actions fails at 10 %."""
DRILL_ALERT = "DrillTargetDown"
DRILL_LABEL = {"drill": "true"}
"""Alertmanager sends alerts with this label to the healer alone."""
FNV_OFFSET = 0xCBF29CE484222325
FNV_PRIME = 0x100000001B3
SEPARATOR = 0xFF
MAX_TRIES = 10_000


@dataclass(frozen=True)
class Targets:
    """The services of one drill. The healer leaves a target alone for a while, so each drill has a fresh `victim`."""

    services: DemoServices
    victim: str
    ward: tuple[str, ...]

    def address(self, name: str) -> str:
        """Return a service's `host:port`."""
        return f"127.0.0.1:{self.services.ports[name]}"


@contextmanager
def admitted(stack: Stack) -> Iterator[Targets]:
    """Let there be patients until the end of the block. The victim runs, the ward does not."""
    services = stack.healing.services
    ssm = stack.healing.ssm
    mark = uuid4().hex[:6]
    victim = f"drill-{mark}-victim"
    ward = tuple(f"drill-{mark}-{number}" for number in range(WARD))
    names = (victim, *ward)
    services.join({name: free_port() for name in names})
    machines = ssm.enrol(names)
    try:
        services.restart(victim)
        yield Targets(services, victim, ward)
    finally:
        services.leave(names)
        ssm.discharge(machines)


@dataclass(frozen=True, slots=True)
class Case:
    """An alert that the drill sends itself: which patient, since when, and whether it is struck by chaos."""

    target: str
    since: datetime
    struck: bool

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


def case(target: str, seed: str, percent: float, *, struck: bool) -> Case:
    """Return a case that failures on purpose strike at `percent`, or spare.

    The healer decides by the action's id, which depends on when the alert began: among the
    last milliseconds the drill finds one that suits. So the share of failures is exactly
    the one that was set, however few actions there are.
    """
    now = datetime.now(UTC)
    now = now.replace(microsecond=now.microsecond // 1_000 * 1_000)
    for earlier in range(1, MAX_TRIES):
        found = Case(target, now - timedelta(milliseconds=earlier), struck)
        if chaos.strikes(seed, _action(found.labels, found.since), percent) == struck:
            return found
    raise ValueError(f"{percent} % strike nothing among {MAX_TRIES} alerts")


def fingerprint(labels: dict[str, str]) -> str:
    """Return what Alertmanager calls an alert with `labels`: FNV-1a of its sorted labels, in hex."""
    made = FNV_OFFSET
    for name in sorted(labels):
        for byte in (*name.encode(), SEPARATOR, *labels[name].encode(), SEPARATOR):
            made = ((made ^ byte) * FNV_PRIME) & 0xFFFFFFFFFFFFFFFF
    return f"{made:016x}"


def _action(labels: dict[str, str], since: datetime) -> UUID:
    known = Alert(labels["alertname"], Status.FIRING, labels, True, since, fingerprint(labels))
    return action_id(known.episode, 1)
