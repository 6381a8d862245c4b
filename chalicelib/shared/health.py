"""Whether this function can do its work: each dependency asked, side by side, in bounded time."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass

from chalicelib.shared.clock import Clock

Check = Callable[[], None]
"""Asks one dependency; raises when it is down."""

READY_SECONDS = 1.8
"""Longest wait for all dependencies together; the answer is due within 2 s."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one dependency said. `latency_ms` is how long it took to say it."""

    ok: bool
    latency_ms: float
    detail: str = ""


def examine(
    checks: Mapping[str, Check], clock: Clock, *, seconds: float = READY_SECONDS
) -> dict[str, Finding]:
    """Run every check at once; one that does not answer within `seconds` is down."""
    if not checks:
        return {}
    pool = ThreadPoolExecutor(max_workers=len(checks), thread_name_prefix="health")
    asked = {name: pool.submit(_timed, check, clock) for name, check in checks.items()}
    wait(asked.values(), timeout=seconds)
    pool.shutdown(wait=False, cancel_futures=True)
    late = Finding(ok=False, latency_ms=round(seconds * 1_000, 1), detail="no answer in time")
    return {name: future.result() if future.done() else late for name, future in asked.items()}


def _timed(check: Check, clock: Clock) -> Finding:
    started = clock.monotonic()
    try:
        check()
        problem = ""
    except Exception as error:
        problem = type(error).__name__
    return Finding(
        ok=not problem,
        latency_ms=round((clock.monotonic() - started) * 1_000, 1),
        detail=problem,
    )
