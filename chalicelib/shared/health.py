"""Readiness: every dependency is checked at once, within bounded time."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass

from chalicelib.shared.clock import Clock
from chalicelib.shared.errors import AetherLinkError

Check = Callable[[], None]
"""Checks one dependency; raises if it is down."""

READY_SECONDS = 1.8
"""How long all checks may take together. The response is due within 2 seconds."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check, and how long it took in milliseconds."""

    ok: bool
    latency_ms: float
    detail: str = ""


def examine(
    checks: Mapping[str, Check], clock: Clock, *, seconds: float = READY_SECONDS
) -> dict[str, Finding]:
    """Run every check at once. A dependency that does not answer within `seconds` is down."""
    if not checks:
        return {}
    pool = ThreadPoolExecutor(max_workers=len(checks), thread_name_prefix="health")
    futures = {name: pool.submit(_timed, check, clock) for name, check in checks.items()}
    wait(futures.values(), timeout=seconds)
    pool.shutdown(wait=False, cancel_futures=True)
    timed_out = Finding(
        ok=False, latency_ms=round(seconds * 1_000, 1), detail="No response in time."
    )
    return {
        name: future.result() if future.done() else timed_out for name, future in futures.items()
    }


def _timed(check: Check, clock: Clock) -> Finding:
    started = clock.monotonic()
    problem = _problem(check)
    latency_ms = round((clock.monotonic() - started) * 1_000, 1)
    return Finding(ok=not problem, latency_ms=latency_ms, detail=problem)


def _problem(check: Check) -> str:
    """Return why `check` failed, in words for callers; an empty text where it did not."""
    try:
        check()
    except AetherLinkError as problem:
        return problem.detail
    except Exception:  # noqa: BLE001 - whatever a check raises, its dependency is down
        return "The check failed."
    return ""
