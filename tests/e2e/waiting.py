"""Waiting for what a running system does, within one generous deadline."""

import time
from collections.abc import Callable
from typing import TypeVar

DEADLINE_SECONDS = 180.0
POLL_SECONDS = 0.2

T = TypeVar("T")


def until(condition: Callable[[], T], seconds: float = DEADLINE_SECONDS) -> T:
    """Return the first true result of `condition`; it is called again until `seconds` are over."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s"
        time.sleep(POLL_SECONDS)
    return result
