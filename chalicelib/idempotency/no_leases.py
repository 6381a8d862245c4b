"""Idempotency without a lease store."""

# ruff: noqa: ARG002 - nothing is stored, so every argument is unused

from uuid import UUID

from chalicelib.idempotency.key import IdempotencyKey
from chalicelib.idempotency.ports import Claimed, LeaseClaim, StoredAnswer


class NoLeases:
    """A `LeaseStore` that lets every request run, so that the answer store alone decides."""

    def claim(self, key: IdempotencyKey, owner: UUID, *, lease_seconds: float) -> LeaseClaim:
        """Let the request run."""
        return Claimed()

    def finish(self, key: IdempotencyKey, owner: UUID, answer: StoredAnswer | None) -> bool:
        """Keep nothing."""
        return False

    def release(self, key: IdempotencyKey, owner: UUID) -> bool:
        """Release nothing."""
        return False
