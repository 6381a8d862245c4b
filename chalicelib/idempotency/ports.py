"""Doing a request once, however often it is sent with the same `Idempotency-Key`.

Two stores that cannot commit together share the work. The lease store (DynamoDB) says
quickly who is first and replays finished answers in one call; its leases are fenced by an
owner token, so a late owner changes nothing of a newer one's. The ledger (PostgreSQL) holds
the answer under a unique key in the business transaction itself, so that whatever happens
to the lease, the business happens once. Sources: the IETF draft on the Idempotency-Key
header, and docs/decisions/0003-idempotency.md.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from chalicelib.idempotency.key import IdempotencyKey
from chalicelib.shared.errors import AetherLinkError


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """An answer as it is kept: enough to give it again, byte for byte."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Claimed:
    """This request is the first, or the first after a failure or a lease that ended."""


@dataclass(frozen=True, slots=True)
class Running:
    """Another request with the same key is at work, at most for `seconds` more."""

    request_hash: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Finished:
    """It was done before. `answer` is None where it is kept in the ledger alone."""

    request_hash: str
    answer: StoredAnswer | None


LeaseClaim = Claimed | Running | Finished


class LeaseStore(Protocol):
    """Who works on a key, and the answers that were finished. Raises `errors.Unavailable` while it is away."""

    def claim(self, key: IdempotencyKey, owner: UUID, *, lease_seconds: float) -> LeaseClaim:
        """Claim `key` for `owner`, or tell why not, in one call."""
        ...

    def finish(self, key: IdempotencyKey, owner: UUID, answer: StoredAnswer | None) -> bool:
        """Keep the answer, if `owner` still holds the lease; return whether it did. None: the ledger has it."""
        ...

    def release(self, key: IdempotencyKey, owner: UUID) -> bool:
        """Let a retry run at once, if `owner` still holds the lease; return whether it did."""
        ...


@dataclass(frozen=True, slots=True)
class ResponseRecorder:
    """What a transaction writes to the ledger: the key, and how the answer is made of what the transaction made."""

    key: IdempotencyKey
    answer: Callable[[Any], StoredAnswer]


class AnswerStore(Protocol):
    """The answers that were committed with the business."""

    def find(self, key: IdempotencyKey) -> Finished | None:
        """Return what was committed under `key`, if it is not too old. Raises `errors.Unavailable`."""
        ...


class NoLeases:
    """A `LeaseStore` that lets everybody through: the ledger alone decides."""

    def claim(self, key: IdempotencyKey, owner: UUID, *, lease_seconds: float) -> LeaseClaim:
        """Let the request run."""
        return Claimed()

    def finish(self, key: IdempotencyKey, owner: UUID, answer: StoredAnswer | None) -> bool:
        """Keep nothing."""
        return False

    def release(self, key: IdempotencyKey, owner: UUID) -> bool:
        """Hold nothing."""
        return False


class AlreadyDone(AetherLinkError):
    """The ledger has an answer under this key: the transaction that found it was rolled back."""

    status = 409
    code = "already-done"
    title = "Already done"
