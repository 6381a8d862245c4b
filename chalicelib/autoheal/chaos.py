"""Failures on purpose, to rehearse: which actions fail instead of being sent."""

import hashlib
from uuid import UUID

MAX_PERCENT = 10.0
_BASIS = 10_000


def strikes(seed: str, action_id: UUID, percent: float) -> bool:
    """Tell whether this action fails on purpose; always the same for the same action, seed and percent."""
    draw = int.from_bytes(hashlib.sha256(f"{seed}{action_id}".encode()).digest(), "big") % _BASIS
    return draw < percent * 100
