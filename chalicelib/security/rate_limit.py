"""The rate limit of a tenant: so many requests a second on average, and a burst at once.

Time is divided into windows of `burst / per_second` seconds, each for `burst` requests. A
fixed window needs one atomic addition for each request, wherever it is served. At worst,
around a boundary, it admits two bursts.
"""

import math
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from chalicelib.shared.clock import Clock
from chalicelib.shared.errors import RateLimited, Unavailable
from chalicelib.shared.setting import number, setting
from chalicelib.telemetry import logs, names
from chalicelib.telemetry.meter import Meter

KEPT_SECONDS = 60
"""How long a counter outlives its window, because clocks of different machines differ."""


class Counters(Protocol):
    """Counters that every process shares."""

    def add(self, key: str, *, expires_at: int) -> int:
        """Add one to the counter `key` and return the sum.

        The counter may be deleted at `expires_at` (Unix seconds).

        Raises:
            errors.Unavailable: the counters cannot be reached.
        """
        ...


@dataclass(frozen=True, slots=True)
class RateLimitPolicy:
    """How many requests each tenant may send."""

    per_second: float = setting(
        "TENANT_RATE_PER_SECOND",
        0.0,
        "Requests a second that one tenant may send; 0 sets no limit.",
        number(float, 0, 100_000),
    )
    burst: int = setting(
        "TENANT_RATE_BURST",
        100,
        "Requests that one tenant may send at once.",
        number(int, 1, 1_000_000),
    )


class TenantRate:
    """Admits or refuses a tenant's requests. While the counters are down, it admits all."""

    def __init__(
        self, counters: Counters, clock: Clock, meter: Meter, policy: RateLimitPolicy
    ) -> None:
        """Admit what `policy` allows each tenant."""
        self._counters = counters
        self._clock = clock
        self._meter = meter
        self._burst = policy.burst
        self._window = policy.burst / policy.per_second

    def admit(self, tenant_id: UUID) -> None:
        """Count a request of `tenant_id`.

        Raises:
            errors.RateLimited: there were too many; `Retry-After` is when the next window
            begins.
        """
        now = self._clock.now().timestamp()
        window = math.floor(now / self._window)
        window_end = (window + 1) * self._window
        try:
            count = self._counters.add(
                f"rate#{tenant_id}#{window}", expires_at=math.ceil(window_end) + KEPT_SECONDS
            )
        except Unavailable as problem:
            self._meter.count(names.RATE_LIMIT_OPEN)
            self._meter.flush()
            logs.warning(names.RATE_LIMIT_OPENED, cause=problem.cause)
            return
        if count > self._burst:
            self._meter.count(names.RATE_LIMITED)
            self._meter.flush()
            seconds = max(1, math.ceil(window_end - now))
            raise RateLimited(
                f"This tenant has sent more than {self._burst} requests"
                f" within {self._window:g} seconds. Slow down.",
                headers={"Retry-After": str(seconds)},
            )
