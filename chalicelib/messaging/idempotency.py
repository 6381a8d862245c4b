"""Doing a request once, however often it is sent with the same `Idempotency-Key`.

Two stores that cannot commit together share the work. The lease store (DynamoDB) says quickly who is first and
replays finished answers in one call; its leases are fenced by an owner token, so a late owner changes nothing of a
newer one's. The ledger (PostgreSQL) holds the answer under a unique key in the business transaction itself, so that
whatever happens to the lease, the business happens once. Sources: the IETF draft on the Idempotency-Key header,
and docs/decisions/0003-idempotency.md.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from chalicelib import logs, names
from chalicelib.errors import AetherLinkError, Conflict, FieldError, Invalid, Unavailable, Unprocessable
from chalicelib.ids import uuid7
from chalicelib.metrics import Meter

KEY = re.compile(r'"([\x20-\x21\x23-\x5b\x5d-\x7e]{1,255})"|([\x21\x23-\x7e]{1,255})')
KEPT_SECONDS = 24 * 3_600
LARGEST_LEASED_BODY = 350_000
"""A DynamoDB item holds 400 KB; larger answers stay in the ledger alone."""


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """An answer as it is kept: enough to give it again, byte for byte."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OnceKey:
    """What makes two requests the same: tenant, endpoint (method and route) and key; and what they ask for, hashed."""

    tenant_id: UUID
    endpoint: str
    key: str
    request_hash: str

    @property
    def key_hash(self) -> str:
        """Return the key's SHA-256, hexadecimal: what is stored of it."""
        return hashlib.sha256(self.key.encode()).hexdigest()

    @property
    def partition_key(self) -> str:
        """Return the lease store's key."""
        return f"{self.tenant_id}#{self.key_hash}#{self.endpoint}"


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


Claim = Claimed | Running | Finished


class LeaseStore(Protocol):
    """Who works on a key, and the answers that were finished. Raises `errors.Unavailable` while it is away."""

    def claim(self, key: OnceKey, owner: UUID, *, lease_seconds: float) -> Claim:
        """Claim `key` for `owner`, or tell why not, in one call."""
        ...

    def finish(self, key: OnceKey, owner: UUID, answer: StoredAnswer | None) -> bool:
        """Keep the answer, if `owner` still holds the lease; return whether it did. None: the ledger has it."""
        ...

    def release(self, key: OnceKey, owner: UUID) -> bool:
        """Let a retry run at once, if `owner` still holds the lease; return whether it did."""
        ...


@dataclass(frozen=True, slots=True)
class Note:
    """What a transaction writes to the ledger: the key, and how the answer is made of what the transaction made."""

    key: OnceKey
    answer: Callable[[Any], StoredAnswer]


class Ledger(Protocol):
    """The answers that were committed with the business."""

    def find(self, key: OnceKey) -> Finished | None:
        """Return what was committed under `key`, if it is not too old. Raises `errors.Unavailable`."""
        ...


class NoLeases:
    """A `LeaseStore` that lets everybody through: the ledger alone decides."""

    def claim(self, key: OnceKey, owner: UUID, *, lease_seconds: float) -> Claim:  # noqa: ARG002
        """Let the request run."""
        return Claimed()

    def finish(self, key: OnceKey, owner: UUID, answer: StoredAnswer | None) -> bool:  # noqa: ARG002
        """Keep nothing."""
        return False

    def release(self, key: OnceKey, owner: UUID) -> bool:  # noqa: ARG002
        """Hold nothing."""
        return False


class AlreadyDone(AetherLinkError):
    """The ledger has an answer under this key: the transaction that found it was rolled back."""

    status, code, title = 409, "already-done", "Already done"


def parse_key(header: str) -> str:
    """Return the key that the header holds, bare or as the quoted string of the IETF draft.

    Raises:
        errors.Invalid: it is neither.
    """
    match = KEY.fullmatch(header.strip())
    if match is None:
        reason = "must be 1 to 255 visible ASCII characters, bare or in double quotes"
        raise Invalid(
            f"Idempotency-Key {reason}.", code="bad-idempotency-key", errors=[FieldError("Idempotency-Key", reason)]
        )
    return match.group(1) or match.group(2)


def hash_request(path: str, query: Mapping[str, str], body: bytes) -> str:
    """Return what tells two requests under one key apart."""
    digest = hashlib.sha256()
    for part in (path, *(f"{name}={value}" for name, value in sorted(query.items()))):
        digest.update(part.encode() + b"\n")
    digest.update(b"\n" + body)
    return digest.hexdigest()


class Once:
    """Runs a handler at most once for each key, and gives its answer again."""

    def __init__(self, leases: LeaseStore, ledger: Ledger, meter: Meter) -> None:
        """Use the lease store for speed and the ledger for truth."""
        self._leases, self._ledger, self._meter = leases, ledger, meter

    def run(
        self, key: OnceKey, handler: Callable[[], StoredAnswer], *, lease_seconds: float
    ) -> tuple[StoredAnswer, bool]:
        """Return the answer, and whether it was given before.

        Args:
            key: what makes the request the same as another.
            handler: does the work, and notes its answer in the ledger in the same transaction.
            lease_seconds: how long this process can live; others may take over afterwards.

        Raises:
            errors.Conflict: a request with this key is at work (`Retry-After` says how long at most).
            errors.Unprocessable: the key was used for another request.
            AetherLinkError: whatever the handler raises.
        """
        try:
            return self._run(key, handler, lease_seconds)
        finally:
            self._meter.flush()

    def _run(
        self, key: OnceKey, handler: Callable[[], StoredAnswer], lease_seconds: float
    ) -> tuple[StoredAnswer, bool]:
        owner, leased = uuid7(), True
        try:
            claim = self._leases.claim(key, owner, lease_seconds=lease_seconds)
        except Unavailable as problem:
            logs.warning(names.IDEMPOTENCY_FALLBACK, cause=problem.cause)
            self._meter.count(names.IDEMPOTENCY_FALLBACKS)
            claim, leased = Claimed(), False
        if not isinstance(claim, Claimed) and claim.request_hash != key.request_hash:
            raise _reused()
        if isinstance(claim, Running):
            raise Conflict(
                "A request with this Idempotency-Key is still at work. Send it again a little later.",
                code="request-in-progress",
                headers={"Retry-After": str(max(1, round(min(claim.seconds, 5))))},
            )
        if isinstance(claim, Finished):
            return self._again(key, claim), True
        try:
            answer, replayed = handler(), False
        except AetherLinkError as problem:
            answer, replayed = self._done_before(key, problem, owner, leased), True
        except BaseException:
            self._release(key, owner, leased)
            raise
        if leased:
            self._finish(key, owner, answer)
        return answer, replayed

    def _again(self, key: OnceKey, found: Finished) -> StoredAnswer:
        if found.request_hash != key.request_hash:
            raise _reused()
        answer = found.answer
        if answer is None:
            kept = self._ledger.find(key)
            if kept is None or kept.answer is None:
                raise Unavailable("The answer is kept elsewhere and not to be had just now. Send it again soon.")
            answer = kept.answer
        logs.info(names.IDEMPOTENT_REPLAY, message=f"Duplicate request detected (Idempotency-Key: {key.key})")
        self._meter.count(names.IDEMPOTENT_REPLAYS)
        return answer

    def _done_before(self, key: OnceKey, problem: AetherLinkError, owner: UUID, leased: bool) -> StoredAnswer:
        """Tell a real error from the traces of an attempt that committed and then died.

        A retry of such an attempt may meet its own row (a taken email, a stale version, an illegal move); the ledger
        knows.
        """
        try:
            found = self._ledger.find(key) if problem.status < 500 else None
            if found is None:
                raise problem
            return self._again(key, found)
        except AetherLinkError:
            self._release(key, owner, leased)
            raise

    def _finish(self, key: OnceKey, owner: UUID, answer: StoredAnswer) -> None:
        """Keep the answer; where that fails the ledger has it, and the lease ends by itself."""
        try:
            self._leases.finish(key, owner, answer if len(answer.body) <= LARGEST_LEASED_BODY else None)
        except Unavailable as problem:
            logs.warning(names.IDEMPOTENCY_FALLBACK, cause=problem.cause)

    def _release(self, key: OnceKey, owner: UUID, leased: bool) -> None:
        if leased:
            try:
                self._leases.release(key, owner)
            except Unavailable as problem:
                logs.warning(names.IDEMPOTENCY_FALLBACK, cause=problem.cause)


def _reused() -> Unprocessable:
    return Unprocessable(
        "This Idempotency-Key was used for another request. Take a new key for a new request.",
        code="idempotency-key-reused",
    )
