"""The two stores behind idempotent requests, and what passes between them and the runner.

The lease store (DynamoDB) is fast: it knows who is working on a key, and finished answers.
The answer store (PostgreSQL) is the truth: the answer is committed with the business, under
a unique key. The two cannot commit together; docs/decisions/0003-idempotency.md has the
reasons.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from chalicelib.idempotency.key import IdempotencyKey
from chalicelib.shared.errors import AetherLinkError


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """An answer as it is kept: enough to repeat it byte for byte."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Claimed:
    """This request is the first, or the first after a failure or an expired lease."""


@dataclass(frozen=True, slots=True)
class Running:
    """Another request with the same key is running, for at most `seconds` more."""

    request_hash: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Finished:
    """The request was carried out before.

    `answer` is None if only the answer store has it.
    """

    request_hash: str
    answer: StoredAnswer | None


LeaseClaim = Claimed | Running | Finished


class LeaseStore(Protocol):
    """Who is working on a key, and finished answers.

    A lease is fenced by its owner's token: a late owner changes nothing of a newer one's.
    Every method raises `errors.Unavailable` while the store cannot be reached.
    """

    def claim(self, key: IdempotencyKey, owner: UUID, *, lease_seconds: float) -> LeaseClaim:
        """Claim `key` for `owner`, or return why that failed; one call to the store."""
        ...

    def finish(self, key: IdempotencyKey, owner: UUID, answer: StoredAnswer | None) -> bool:
        """Keep the answer if `owner` still holds the lease, and return whether it did.

        None means that only the answer store has it.
        """
        ...

    def release(self, key: IdempotencyKey, owner: UUID) -> bool:
        """Let a retry run at once if `owner` still holds the lease; return whether it did."""
        ...


class AnswerStore(Protocol):
    """The answers that were committed with the business."""

    def find(self, key: IdempotencyKey) -> Finished | None:
        """Return what was committed under `key` within the retention time, or None.

        Raises:
            errors.Unavailable: the store cannot be reached.
        """
        ...


@dataclass(frozen=True, slots=True)
class ResponseRecorder:
    """What a transaction writes to the answer store.

    Attributes:
        key: the request.
        answer: makes the answer from the result of the transaction.
    """

    key: IdempotencyKey
    answer: Callable[[Any], StoredAnswer]


class AlreadyDone(AetherLinkError):
    """The answer store has an answer under this key: the transaction was rolled back."""

    status = 409
    code = "already-done"
    title = "Already done"
