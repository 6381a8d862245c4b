"""A fake of the healer's store."""

import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from chalicelib.autoheal.actions import Action, State
from chalicelib.autoheal.decide import History, Reason
from chalicelib.autoheal.modes import Breaker, BreakerState, Config
from chalicelib.autoheal.ports import ActionClaim, Ending
from chalicelib.autoheal.records import ChangeRecord
from chalicelib.shared.clock import Clock, rfc3339
from chalicelib.shared.errors import Unavailable
from tests.fakes.audit import FakeAudit
from tests.fakes.metric_totals import FakeMetricTotals

NEVER_AGAIN = 1_000_000


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
    """A `HealStore` in memory; records go to the audit and the totals it is made with."""

    def __init__(self, clock: Clock, audit: FakeAudit, totals: FakeMetricTotals) -> None:
        self.clock = clock
        self.audit = audit
        self.totals = totals
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

    def change_config(self, new: Config, record: ChangeRecord) -> bool:
        self._answer()
        with self.lock:
            if new.version != (self._config.version if self._config else 0) + 1:
                return False
            self._config = new
            self._write(record)
            return True

    def history(self, episode: str, target: str, now: datetime) -> History:
        self._answer()
        with self.lock:
            present = self.episodes[episode]
            lock = self.locks[target]
            locked = (
                lock.holder is not None and lock.lease_until is not None and lock.lease_until >= now
            )
            return History(
                present.attempts,
                present.open_action is not None,
                present.over,
                lock.cooldown_until,
                locked,
            )

    def histories(self, keys: Sequence[tuple[str, str]], now: datetime) -> list[History]:
        return [self.history(episode, target, now) for episode, target in keys]

    def claim(self, claim: ActionClaim, *, seconds: float) -> Action | Reason:
        self._answer()
        with self.lock:
            return self._claim(claim, self.clock.now())

    def _claim(self, claim: ActionClaim, now: datetime) -> Action | Reason:
        action = claim.action
        breaker = self._breakers.get(action.alertname, Breaker(action.alertname))
        if breaker.state is BreakerState.OPEN:
            return Reason.BREAKER_OPEN
        if claim.config_version != (self._config.version if self._config else 0):
            return Reason.MODE_CHANGED
        episode = self.episodes[action.episode]
        lock = self.locks[action.target]
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
        lock.holder = action.id
        lock.lease_until = claim.lease_until
        episode.attempts = action.attempt
        episode.open_action = action.id
        if trial:
            self._breakers[action.alertname] = replace(breaker, trial=str(action.id))
        self.kept[action.id] = action
        self._write(claim.record)
        return action

    def move(
        self,
        before: Action,
        after: Action,
        record: ChangeRecord,
        *,
        seconds: float,
        ending: Ending | None = None,
        config_version: int | None = None,
    ) -> bool:
        self._answer()
        self.on_move(after)
        with self.lock:
            present = self.kept.get(before.id)
            if present is None or (present.state, present.version) != (
                before.state,
                before.version,
            ):
                return False
            if config_version is not None and config_version != (
                self._config.version if self._config else 0
            ):
                return False
            self.kept[after.id] = after
            if ending is not None:
                self._end(after, ending)
            self._write(record)
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

    def actions(
        self, state: State | None, *, limit: int, after: str = ""
    ) -> tuple[list[Action], str]:
        self._answer()
        actions = [
            action
            for action in self.kept.values()
            if state in (None, action.state) and (not after or _cursor(action) < after)
        ]
        actions.sort(key=_cursor, reverse=True)
        return actions[:limit], _cursor(actions[limit - 1]) if len(actions) > limit else ""

    def due(self, state: State, until: datetime, *, limit: int) -> list[Action]:
        self._answer()
        due = [
            (action.next_check, action.id, action)
            for action in self.kept.values()
            if action.state is state and action.next_check is not None and action.next_check < until
        ]
        return [action for _, _, action in sorted(due)][:limit]

    def breakers(self, runbooks: Collection[str]) -> dict[str, Breaker]:
        self._answer()
        return {name: self._breakers.get(name, Breaker(name)) for name in runbooks}

    def change_breaker(self, before: Breaker, after: Breaker, record: ChangeRecord) -> bool:
        self._answer()
        present = self._breakers.get(before.runbook)
        if present is None or (present.state, present.failures) != (
            before.state,
            before.failures,
        ):
            return False
        self._breakers[after.runbook] = after
        self._write(record)
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

    def _write(self, record: ChangeRecord) -> None:
        self.audit.append(record.events)
        self.totals.add(record.increments)

    def _answer(self) -> None:
        if self.down:
            raise Unavailable("down", code="autoheal-store-unavailable", cause="test")


def _taken(lock: _Lock, now: datetime) -> bool:
    return lock.holder is not None and lock.lease_until is not None and lock.lease_until >= now


def _cursor(action: Action) -> str:
    return f"{rfc3339(action.created_at)}#{action.id}"
