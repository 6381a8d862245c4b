"""Doing a request once, however often it is sent with the same `Idempotency-Key`.

Two stores that cannot commit together share the work. The lease store (DynamoDB) says
quickly who is first and replays finished answers in one call; its leases are fenced by an
owner token, so a late owner changes nothing of a newer one's. The ledger (PostgreSQL) holds
the answer under a unique key in the business transaction itself, so that whatever happens
to the lease, the business happens once. Sources: the IETF draft on the Idempotency-Key
header, and docs/decisions/0003-idempotency.md.
"""

from collections.abc import Callable
from uuid import UUID

from chalicelib.idempotency.key import IdempotencyKey
from chalicelib.idempotency.ports import (
    AnswerStore,
    Claimed,
    Finished,
    LeaseStore,
    Running,
    StoredAnswer,
)
from chalicelib.shared.errors import AetherLinkError, Conflict, Unavailable, Unprocessable
from chalicelib.shared.ids import uuid7
from chalicelib.telemetry import logs, names
from chalicelib.telemetry.meter import Meter

MAX_LEASED_BODY = 350_000
"""A DynamoDB item holds 400 KB; larger answers stay in the ledger alone."""


class IdempotentRunner:
    """Runs a handler at most once for each key, and gives its answer again."""

    def __init__(self, leases: LeaseStore, ledger: AnswerStore, meter: Meter) -> None:
        """Use the lease store for speed and the ledger for truth."""
        self._leases = leases
        self._ledger = ledger
        self._meter = meter

    def run(
        self,
        key: IdempotencyKey,
        handler: Callable[[], StoredAnswer],
        *,
        lease_seconds: float,
    ) -> tuple[StoredAnswer, bool]:
        """Return the answer, and whether it was given before.

        Args:
            key: what makes the request the same as another.
            handler: does the work, and notes its answer in the ledger in the same
                transaction.
            lease_seconds: how long this process can live; others may take over afterwards.

        Raises:
            errors.Conflict: a request with this key is at work (`Retry-After` says how long
            at most).
            errors.Unprocessable: the key was used for another request.
            AetherLinkError: whatever the handler raises.
        """
        try:
            return self._run(key, handler, lease_seconds)
        finally:
            self._meter.flush()

    def _run(
        self, key: IdempotencyKey, handler: Callable[[], StoredAnswer], lease_seconds: float
    ) -> tuple[StoredAnswer, bool]:
        owner = uuid7()
        leased = True
        try:
            claim = self._leases.claim(key, owner, lease_seconds=lease_seconds)
        except Unavailable as problem:
            logs.warning(names.IDEMPOTENCY_FALLBACK, cause=problem.cause)
            self._meter.count(names.IDEMPOTENCY_FALLBACKS)
            claim = Claimed()
            leased = False
        if not isinstance(claim, Claimed) and claim.request_hash != key.request_hash:
            raise _reused()
        if isinstance(claim, Running):
            raise Conflict(
                "A request with this Idempotency-Key is still in progress. Try again soon.",
                code="request-in-progress",
                headers={"Retry-After": str(max(1, round(min(claim.seconds, 5))))},
            )
        if isinstance(claim, Finished):
            return self._again(key, claim), True
        try:
            answer = handler()
            replayed = False
        except AetherLinkError as problem:
            answer = self._done_before(key, problem, owner, leased)
            replayed = True
        except BaseException:
            self._release(key, owner, leased)
            raise
        if leased:
            self._finish(key, owner, answer)
        return answer, replayed

    def _again(self, key: IdempotencyKey, found: Finished) -> StoredAnswer:
        if found.request_hash != key.request_hash:
            raise _reused()
        answer = found.answer
        if answer is None:
            kept = self._ledger.find(key)
            if kept is None or kept.answer is None:
                raise Unavailable(
                    "The stored answer of this request cannot be read at the moment. Try again soon."
                )
            answer = kept.answer
        logs.info(
            names.IDEMPOTENT_REPLAY,
            message=f"Duplicate request detected (Idempotency-Key: {key.key})",
        )
        self._meter.count(names.IDEMPOTENT_REPLAYS)
        return answer

    def _done_before(
        self, key: IdempotencyKey, problem: AetherLinkError, owner: UUID, leased: bool
    ) -> StoredAnswer:
        """Tell a real error from the traces of an attempt that committed and then died.

        A retry of such an attempt may meet its own row (a taken email, a stale version, an
        illegal move); the ledger knows.
        """
        try:
            found = self._ledger.find(key) if problem.status < 500 else None
            if found is None:
                raise problem
            return self._again(key, found)
        except AetherLinkError:
            self._release(key, owner, leased)
            raise

    def _finish(self, key: IdempotencyKey, owner: UUID, answer: StoredAnswer) -> None:
        """Keep the answer; where that fails the ledger has it, and the lease ends by itself."""
        try:
            self._leases.finish(key, owner, answer if len(answer.body) <= MAX_LEASED_BODY else None)
        except Unavailable as problem:
            logs.warning(names.IDEMPOTENCY_FALLBACK, cause=problem.cause)

    def _release(self, key: IdempotencyKey, owner: UUID, leased: bool) -> None:
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
