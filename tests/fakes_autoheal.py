"""One fake for each of the healer's ports. They pass the same contract suites as the real adapters."""

import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from chalicelib.autoheal.acknowledge import Held
from chalicelib.autoheal.actions import Action, State
from chalicelib.autoheal.alert import Alert
from chalicelib.autoheal.audit import AuditEvent, AuditPage, AuditPosition, AuditQuery
from chalicelib.autoheal.decide import History, Reason
from chalicelib.autoheal.ledger import Increments, Series
from chalicelib.autoheal.modes import Breaker, BreakerState, Config
from chalicelib.autoheal.ports import Claim, CommandState, CommandStatus, Ending, Note, SendUnsure
from chalicelib.clock import Clock, rfc3339
from chalicelib.errors import BadGateway, NotFound, Unavailable

NEVER_AGAIN = 1_000_000


class FakeAudit:
    """An `AuditLog` in memory."""

    def __init__(self) -> None:
        self.events: dict[UUID, AuditEvent] = {}
        self.down = False

    def append(self, events: Sequence[AuditEvent]) -> None:
        if self.down:
            raise Unavailable("away", cause="test")
        self.events |= {event.id: event for event in events}

    def find(self, query: AuditQuery, now: datetime) -> AuditPage:
        if self.down:
            raise Unavailable("away", cause="test")
        ordered = sorted(self.events.values(), key=lambda one: (one.time, one.id), reverse=True)
        if query.after:
            end = (query.after.time, query.after.id)
            ordered = [one for one in ordered if (one.time, one.id) < end]
        wanted = [one for one in ordered if query.wants(one)]
        page = wanted[: query.limit]
        more = len(wanted) > query.limit
        return AuditPage(page, AuditPosition(page[-1].time, page[-1].id) if more else None)

    def kinds(self) -> list[str]:
        return [str(one.kind) for one in sorted(self.events.values(), key=lambda one: (one.time, one.id))]


class FakeMetricsLedger:
    """A `MetricsLedger` in memory."""

    def __init__(self) -> None:
        self.values: dict[Series, float] = defaultdict(float)
        self.lock = threading.Lock()
        self.down = False

    def add(self, increments: Increments) -> None:
        if self.down:
            raise Unavailable("away", cause="test")
        with self.lock:
            for series, value in increments.values.items():
                self.values[series] = max(self.values[series], value) if series.latest else self.values[series] + value

    def totals(self) -> Mapping[Series, float]:
        return dict(self.values)


@dataclass
class _Episode:
    attempts: int = 0
    open_action: UUID | None = None
    over: bool = False


@dataclass
class _Lock:
    holder: UUID | None = None
    lease_until: datetime | None = None
    cooldown_until: datetime | None = None


class FakeHealStore:
    """A `HealStore` in memory; notes go to the audit and the ledger it is made with."""

    def __init__(self, clock: Clock, audit: FakeAudit, ledger: FakeMetricsLedger) -> None:
        self.clock, self.audit, self.ledger = clock, audit, ledger
        self.lock = threading.RLock()
        self.down = False
        self.on_move: Callable[[Action], None] = lambda _: None
        self._config: Config | None = None
        self.episodes: dict[str, _Episode] = defaultdict(_Episode)
        self.locks: dict[str, _Lock] = defaultdict(_Lock)
        self.slots: dict[int, _Lock] = defaultdict(_Lock)
        self.budgets: dict[str, int] = defaultdict(int)
        self._breakers: dict[str, Breaker] = {}
        self.kept: dict[UUID, Action] = {}
        self.leases: dict[str, tuple[str, datetime]] = {}

    def config(self) -> Config | None:
        self._answer()
        return self._config

    def change_config(self, new: Config, note: Note) -> bool:
        self._answer()
        with self.lock:
            if new.version != (self._config.version if self._config else 0) + 1:
                return False
            self._config = new
            self._write(note)
            return True

    def history(self, episode: str, target: str, now: datetime) -> History:
        self._answer()
        with self.lock:
            found, lock = self.episodes[episode], self.locks[target]
            locked = lock.holder is not None and lock.lease_until is not None and lock.lease_until >= now
            return History(found.attempts, found.open_action is not None, found.over, lock.cooldown_until, locked)

    def histories(self, wanted: Sequence[tuple[str, str]], now: datetime) -> list[History]:
        return [self.history(episode, target, now) for episode, target in wanted]

    def claim(self, claim: Claim, *, seconds: float) -> Action | Reason:
        self._answer()
        with self.lock:
            return self._claim(claim, self.clock.now())

    def _claim(self, claim: Claim, now: datetime) -> Action | Reason:
        action = claim.action
        breaker = self._breakers.get(action.alertname, Breaker(action.alertname))
        if breaker.state is BreakerState.OPEN:
            return Reason.BREAKER_OPEN
        if claim.config_version != (self._config.version if self._config else 0):
            return Reason.MODE_CHANGED
        episode, lock = self.episodes[action.episode], self.locks[action.target]
        if episode.over:
            return Reason.RESOLVED
        if episode.open_action is not None or episode.attempts != action.attempt - 1:
            spent = episode.attempts >= claim.attempts and episode.open_action is None
            return Reason.ATTEMPTS_SPENT if spent else Reason.IN_PROGRESS
        if lock.cooldown_until is not None and lock.cooldown_until > now:
            return Reason.COOLDOWN
        if _taken(lock, now):
            return Reason.TARGET_LOCKED
        trial = breaker.state is BreakerState.HALF_OPEN
        if breaker.trial if trial else breaker.failures >= claim.breaker_failures:
            return Reason.BREAKER_OPEN
        hour = f"{action.alertname}#{now:%Y-%m-%dT%H}"
        if self.budgets[hour] >= claim.hourly_cap:
            return Reason.BUDGET_SPENT
        free = [slot for slot in range(claim.fleet_cap) if not _taken(self.slots[slot], now)]
        if not free:
            return Reason.FLEET_BUSY
        action = replace(action, slot=free[0], trial=trial)
        self.budgets[hour] += 1
        self.slots[free[0]] = _Lock(action.id, claim.lease_until)
        lock.holder, lock.lease_until = action.id, claim.lease_until
        episode.attempts, episode.open_action = action.attempt, action.id
        if trial:
            self._breakers[action.alertname] = replace(breaker, trial=str(action.id))
        self.kept[action.id] = action
        self._write(claim.note)
        return action

    def move(
        self,
        before: Action,
        after: Action,
        note: Note,
        *,
        seconds: float,
        ending: Ending | None = None,
        config_version: int | None = None,
    ) -> bool:
        self._answer()
        self.on_move(after)
        with self.lock:
            there = self.kept.get(before.id)
            if there is None or (there.state, there.version) != (before.state, before.version):
                return False
            if config_version is not None and config_version != (self._config.version if self._config else 0):
                return False
            self.kept[after.id] = after
            if ending is not None:
                self._end(after, ending)
            self._write(note)
            return True

    def _end(self, action: Action, ending: Ending) -> None:
        episode = self.episodes[action.episode]
        episode.open_action = None
        if ending.spent:
            episode.attempts = NEVER_AGAIN
        for lock in (self.locks[action.target], self.slots[action.slot]):
            if lock.holder == action.id:
                lock.holder = lock.lease_until = None
                if lock is self.locks[action.target] and ending.cooldown_until is not None:
                    lock.cooldown_until = ending.cooldown_until
        name = action.alertname
        breaker = self._breakers.get(name, Breaker(name))
        if ending.healthy:
            self._breakers[name] = Breaker(name)
        elif ending.healthy is False:
            self._breakers[name] = replace(breaker, failures=breaker.failures + 1, trial="")
        elif action.trial:
            self._breakers[name] = replace(breaker, trial="")

    def resolve(self, episode: str, now: datetime) -> UUID | None:
        self._answer()
        self.episodes[episode].over = True
        return self.episodes[episode].open_action

    def action(self, action_id: UUID) -> Action | None:
        self._answer()
        return self.kept.get(action_id)

    def actions(self, state: State | None, *, limit: int, after: str = "") -> tuple[list[Action], str]:
        self._answer()
        found = [one for one in self.kept.values() if state in (None, one.state) and (not after or _place(one) < after)]
        found.sort(key=_place, reverse=True)
        return found[:limit], _place(found[limit - 1]) if len(found) > limit else ""

    def due(self, state: State, until: datetime, *, limit: int) -> list[Action]:
        self._answer()
        due = [
            (one.next_check, one.id, one)
            for one in self.kept.values()
            if one.state is state and one.next_check is not None and one.next_check < until
        ]
        return [one for _, _, one in sorted(due)][:limit]

    def breakers(self, runbooks: Collection[str]) -> dict[str, Breaker]:
        self._answer()
        return {name: self._breakers.get(name, Breaker(name)) for name in runbooks}

    def change_breaker(self, before: Breaker, after: Breaker, note: Note) -> bool:
        self._answer()
        there = self._breakers.get(before.runbook)
        if there is None or (there.state, there.failures) != (before.state, before.failures):
            return False
        self._breakers[after.runbook] = after
        self._write(note)
        return True

    def hold(self, name: str, owner: str, now: datetime, until: datetime) -> bool:
        self._answer()
        with self.lock:
            holder, lease = self.leases.get(name, (owner, now))
            if holder != owner and lease >= now:
                return False
            self.leases[name] = (owner, until)
            return True

    def release(self, name: str, owner: str) -> None:
        self._answer()
        with self.lock:
            if self.leases.get(name, ("",))[0] == owner:
                del self.leases[name]

    def _write(self, note: Note) -> None:
        self.audit.append(note.events)
        self.ledger.add(note.increments)

    def _answer(self) -> None:
        if self.down:
            raise Unavailable("away", code="autoheal-store-unavailable", cause="test")


def _taken(lock: _Lock, now: datetime) -> bool:
    return lock.holder is not None and lock.lease_until is not None and lock.lease_until >= now


def _place(action: Action) -> str:
    return f"{rfc3339(action.created_at)}#{action.id}"


@dataclass
class _Command:
    id: str
    comment: str
    sent: datetime
    status: CommandStatus
    document: str
    parameters: Mapping[str, str]


class FakeCommander:
    """A `Commander` in memory. `outcome` is how commands end; `loses_answer` takes the command and answers nothing."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.sent: list[_Command] = []
        self.outcome = CommandStatus(CommandState.SUCCEEDED, 0)
        self.loses_answer = self.takes_nothing = self.down = False
        self.refuses: Exception | None = None
        self.cancelled: list[str] = []

    def send(self, action: Action, *, document: str, version: str, timeout_seconds: int) -> str:
        if self.refuses:
            raise self.refuses
        if self.takes_nothing:
            raise SendUnsure("the connection broke")
        made = _Command(
            str(uuid4()), action.comment, self.clock.now(), self.outcome, f"{document}:{version}", action.parameters
        )
        self.sent.append(made)
        if self.loses_answer:
            raise SendUnsure("the connection broke")
        return made.id

    def status(self, command_id: str) -> CommandStatus:
        if self.down:
            raise Unavailable("away", cause="test")
        return next((one.status for one in self.sent if one.id == command_id), CommandStatus(CommandState.MISSING))

    def find(self, comment: str, since: datetime) -> str | None:
        if self.down:
            raise Unavailable("away", cause="test")
        return next((one.id for one in self.sent if one.comment == comment and one.sent >= since), None)

    def cancel(self, command_id: str) -> None:
        self.cancelled.append(command_id)


@dataclass
class FakeAlertmanager:
    """An `AlertSource` in memory."""

    firing: list[Alert] = field(default_factory=list)
    made: dict[str, dict[str, Any]] = field(default_factory=dict)
    down: bool = False
    on_silence: Callable[[], None] = lambda: None

    def alerts(self, filters: Mapping[str, str]) -> list[Alert]:
        self._answer()
        return [one for one in self.firing if all(one.labels.get(name) == value for name, value in filters.items())]

    def listed(self) -> list[dict[str, Any]]:
        self._answer()
        return [{"labels": dict(one.labels), "fingerprint": one.fingerprint} for one in self.firing]

    def silences(self) -> list[dict[str, Any]]:
        self._answer()
        return list(self.made.values())

    def silence(self, matchers: Mapping[str, str], start: datetime, end: datetime, by: str, comment: str) -> str:
        self._answer()
        silence_id = str(uuid4())
        listed = [{"name": name, "value": value, "isRegex": False, "isEqual": True} for name, value in matchers.items()]
        self.made[silence_id] = {
            "id": silence_id,
            "matchers": listed,
            "createdBy": by,
            "comment": comment,
            "startsAt": rfc3339(start),
            "endsAt": rfc3339(end),
            "status": {"state": "active"},
        }
        self.on_silence()
        return silence_id

    def expire(self, silence_id: str) -> None:
        self._answer()
        if silence_id not in self.made:
            raise NotFound("no such silence")
        self.made[silence_id]["status"]["state"] = "expired"

    def _answer(self) -> None:
        if self.down:
            raise BadGateway("away", cause="test")


class FakePlaces:
    """A `SilencePlaces` in memory."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.lock = threading.Lock()
        self.kept: dict[str, tuple[str, datetime, str]] = {}

    def reserve(self, key: str, owner: str, now: datetime, until: datetime) -> Held | None:
        with self.lock:
            found = self.kept.get(key)
            if found and found[1] > now:
                return Held(found[2])
            self.kept[key] = (owner, until, "")
            return None

    def keep(self, key: str, owner: str, silence_id: str, ends: datetime) -> bool:
        with self.lock:
            if self.kept.get(key, ("",))[0] != owner:
                return False
            self.kept[key] = (owner, ends, silence_id)
            return True

    def release(self, key: str, owner: str) -> None:
        with self.lock:
            found = self.kept.get(key)
            if found and found[0] == owner and not found[2]:
                del self.kept[key]

    def forget(self, silence_id: str) -> None:
        with self.lock:
            self.kept = {key: found for key, found in self.kept.items() if found[2] != silence_id}


class FakeEscalation:
    """An `Escalation` that remembers."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Mapping[str, Any]]] = []
        self.down = False

    def tell(self, subject: str, facts: Mapping[str, Any]) -> None:
        if self.down:
            raise Unavailable("away", cause="test")
        self.told.append((subject, facts))


class FakePusher:
    """A `Pusher` that remembers the last set of each job."""

    def __init__(self) -> None:
        self.groups: dict[str, str] = {}
        self.down = False

    def put(self, job: str, text: str) -> None:
        if self.down:
            raise Unavailable("away", cause="test")
        self.groups[job] = text
