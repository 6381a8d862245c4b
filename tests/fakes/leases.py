"""A fake of the lease store."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from chalicelib.idempotency.key import KEPT_SECONDS, IdempotencyKey
from chalicelib.idempotency.ports import (
    Claimed,
    Finished,
    LeaseClaim,
    Running,
    StoredAnswer,
)
from chalicelib.shared.errors import Unavailable


@dataclass
class _Lease:
    owner: UUID
    request_hash: str
    until: float
    expires: float
    answer: StoredAnswer | None = None
    done: bool = False


class FakeLeases:
    """A `LeaseStore` in memory."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.down = False
        self.records: dict[str, _Lease] = {}

    def claim(self, key: IdempotencyKey, owner: UUID, *, lease_seconds: float) -> LeaseClaim:
        self._answer()
        now = self.clock()
        lease = self.records.get(key.partition_key)
        if lease and lease.expires > now and (lease.done or lease.until > now):
            if lease.done:
                return Finished(lease.request_hash, lease.answer)
            return Running(lease.request_hash, lease.until - now)
        self.records[key.partition_key] = _Lease(
            owner, key.request_hash, now + lease_seconds, now + KEPT_SECONDS
        )
        return Claimed()

    def finish(self, key: IdempotencyKey, owner: UUID, answer: StoredAnswer | None) -> bool:
        self._answer()
        lease = self.records.get(key.partition_key)
        if not lease or lease.owner != owner or lease.done:
            return False
        lease.done = True
        lease.answer = answer
        return True

    def release(self, key: IdempotencyKey, owner: UUID) -> bool:
        self._answer()
        lease = self.records.get(key.partition_key)
        if not lease or lease.owner != owner or lease.done:
            return False
        del self.records[key.partition_key]
        return True

    def _answer(self) -> None:
        if self.down:
            raise Unavailable("down", cause="test")
