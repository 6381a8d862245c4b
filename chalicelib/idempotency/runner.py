"""Runs a request once for its key, and repeats its answer afterwards."""

from collections.abc import Callable
from uuid import UUID

from chalicelib.idempotency.key import IdempotencyKey
from chalicelib.idempotency.ports import (
    AnswerStore,
    Claimed,
    Finished,
    LeaseClaim,
    LeaseStore,
    Running,
    StoredAnswer,
)
from chalicelib.shared.errors import AetherLinkError, Conflict, Unavailable, Unprocessable
from chalicelib.shared.ids import uuid7
from chalicelib.telemetry import logs, names
from chalicelib.telemetry.harmless import harmless
from chalicelib.telemetry.meter import Meter

MAX_LEASED_BODY = 350_000
"""In bytes. A DynamoDB item holds 400 KB; only the answer store keeps larger answers."""
MAX_RETRY_AFTER_SECONDS = 5


class IdempotentRunner:
    """Runs a handler at most once for each key, and repeats its answer."""

    def __init__(self, leases: LeaseStore, answers: AnswerStore, meter: Meter) -> None:
        """Use `leases` for speed and `answers` for the truth."""
        self._leases = leases
        self._answers = answers
        self._meter = meter

    def run(
        self,
        key: IdempotencyKey,
        handler: Callable[[], StoredAnswer],
        *,
        lease_seconds: float,
    ) -> tuple[StoredAnswer, bool]:
        """Return the answer, and whether it was replayed.

        Args:
            key: the request.
            handler: does the work, and writes its answer to the answer store in the same
                transaction.
            lease_seconds: how long this process can live; afterwards another may take over.

        Raises:
            errors.Conflict: a request with this key is running; `Retry-After` says when to
                try again.
            errors.Unprocessable: the key was used for another request.
            AetherLinkError: whatever the handler raises.
        """
        try:
            return self._run(key, handler, lease_seconds)
        finally:
            with harmless():
                self._meter.flush()

    def _run(
        self, key: IdempotencyKey, handler: Callable[[], StoredAnswer], lease_seconds: float
    ) -> tuple[StoredAnswer, bool]:
        claim, owner = self._claim(key, lease_seconds)
        if not isinstance(claim, Claimed) and claim.request_hash != key.request_hash:
            raise _key_reused()
        if isinstance(claim, Running):
            raise _in_progress(claim.seconds)
        if isinstance(claim, Finished):
            return self._replay(key, claim), True
        replayed = False
        try:
            answer = handler()
        except AetherLinkError as problem:
            answer = self._answer_of_earlier_attempt(key, problem, owner)
            replayed = True
        except BaseException:
            self._release(key, owner)
            raise
        self._finish(key, owner, answer)
        return answer, replayed

    def _claim(self, key: IdempotencyKey, lease_seconds: float) -> tuple[LeaseClaim, UUID | None]:
        """Return the claim and the lease's owner, None if the lease store cannot be reached."""
        owner = uuid7()
        try:
            return self._leases.claim(key, owner, lease_seconds=lease_seconds), owner
        except Unavailable as problem:
            _note_fallback(problem)
            with harmless():
                self._meter.count(names.IDEMPOTENCY_FALLBACKS)
            return Claimed(), None

    def _replay(self, key: IdempotencyKey, finished: Finished) -> StoredAnswer:
        if finished.request_hash != key.request_hash:
            raise _key_reused()
        answer = finished.answer
        if answer is None:
            committed = self._answers.find(key)
            answer = committed.answer if committed else None
        if answer is None:
            raise Unavailable("The stored answer cannot be read right now. Try again soon.")
        with harmless():
            logs.info(
                names.IDEMPOTENT_REPLAY,
                message=f"Duplicate request detected (Idempotency-Key: {key.key})",
            )
        with harmless():
            self._meter.count(names.IDEMPOTENT_REPLAYS)
        return answer

    def _answer_of_earlier_attempt(
        self, key: IdempotencyKey, problem: AetherLinkError, owner: UUID | None
    ) -> StoredAnswer:
        """Return the answer of an attempt that committed and then died; else raise `problem`.

        A retry of such an attempt may run into its own row (a taken email, a stale version,
        an illegal move), so the answer store is asked before an error goes out.
        """
        try:
            finished = self._answers.find(key) if problem.status < 500 else None
            if finished is None:
                raise problem
            return self._replay(key, finished)
        except AetherLinkError:
            self._release(key, owner)
            raise

    def _finish(self, key: IdempotencyKey, owner: UUID | None, answer: StoredAnswer) -> None:
        """Keep the answer with the lease.

        A failure does no harm: the answer store has the answer, and the lease expires.
        """
        if owner is None:
            return
        leased_answer = answer if len(answer.body) <= MAX_LEASED_BODY else None
        try:
            self._leases.finish(key, owner, leased_answer)
        except Unavailable as problem:
            _note_fallback(problem)

    def _release(self, key: IdempotencyKey, owner: UUID | None) -> None:
        if owner is None:
            return
        try:
            self._leases.release(key, owner)
        except Unavailable as problem:
            _note_fallback(problem)


def _note_fallback(problem: Unavailable) -> None:
    with harmless():
        logs.warning(names.IDEMPOTENCY_FALLBACK, cause=problem.cause)


def _key_reused() -> Unprocessable:
    return Unprocessable(
        "This Idempotency-Key was used for another request. Use a new key for a new request.",
        code="idempotency-key-reused",
    )


def _in_progress(seconds: float) -> Conflict:
    retry_after = max(1, round(min(seconds, MAX_RETRY_AFTER_SECONDS)))
    return Conflict(
        "A request with this Idempotency-Key is still in progress. Try again soon.",
        code="request-in-progress",
        headers={"Retry-After": str(retry_after)},
    )
