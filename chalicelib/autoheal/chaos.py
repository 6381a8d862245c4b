"""Failures on purpose, for rehearsals: which actions fail instead of being sent."""

import hashlib
from uuid import UUID

MAX_PERCENT = 10.0
_BASIS_POINTS = 10_000


def strikes(seed: str, action_id: UUID, percent: float) -> bool:
    """Return whether this action fails on purpose; the same arguments give the same answer."""
    digest = hashlib.sha256(f"{seed}{action_id}".encode()).digest()
    draw = int.from_bytes(digest, "big") % _BASIS_POINTS
    return draw < percent * 100
