"""A relay in a process of its own that can be told to die at any step between its ports: `python -m ...`."""

import argparse
import os
import signal
import time
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from chalicelib.bootstrap import container
from chalicelib.outbox.relay import Relay
from chalicelib.shared.clock import SystemClock

STEPS = tuple(
    f"{moment}:{call}"
    for call in (
        "claim",
        "fetch",
        "place",
        "launch",
        "land",
        "mark",
        "refuse",
        "park",
        "release",
        "close",
    )
    for moment in ("before", "after")
)
"""Every moment between two steps of a run: before and after each call of a port."""


class WrongClock(SystemClock):
    """A machine clock that is off by some seconds."""

    def __init__(self, seconds: float) -> None:
        self._off = seconds

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self._off)


class Deadly:
    """Passes calls on to `inner`; kills the process at the `countdown`-th passing of `step`."""

    countdown = 1

    def __init__(self, inner: Any, step: str) -> None:
        self._inner = inner
        self._step = step

    def __getattr__(self, name: str) -> Any:
        inner = getattr(self._inner, name)

        def call(*values: Any, **named: Any) -> Any:
            self._reach(f"before:{name}")
            answer = inner(*values, **named)
            self._reach(f"after:{name}")
            return Deadly(answer, self._step) if name == "launch" else answer

        return call

    def _reach(self, step: str) -> None:
        if step == self._step:
            Deadly.countdown -= 1
            if Deadly.countdown <= 0:
                os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Run one relay."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--until-idle", action="store_true")
    parser.add_argument("--die-at", default="", choices=("", *STEPS))
    parser.add_argument("--countdown", type=int, default=1)
    parser.add_argument("--clock-off", type=float, default=0.0)
    parser.add_argument(
        "--lease-seconds", type=float, help="cut leases short, so that relays overlap"
    )
    chosen = parser.parse_args()
    Deadly.countdown = chosen.countdown
    if chosen.clock_off:
        real = time.time
        time.time = lambda: real() + chosen.clock_off
    relay = container().outbox.relay()
    store = relay._store
    publishers = relay._publishers
    policy = relay._policy
    if chosen.lease_seconds is not None:
        claim = store.claim
        short = chosen.lease_seconds

        def claim_briefly(owner: UUID, *, limit: int, seconds: float) -> list[int]:
            return claim(owner, limit=limit, seconds=min(seconds, short))

        store.claim = claim_briefly  # type: ignore[method-assign]
        policy = replace(policy, claim_seconds=chosen.lease_seconds)
    clock = WrongClock(chosen.clock_off)
    deadly = Relay(
        Deadly(store, chosen.die_at),
        lambda: Deadly(publishers(), chosen.die_at),
        clock,
        policy,
        relay._meter,
    )
    deadly.run(chosen.seconds, until_idle=chosen.until_idle)


if __name__ == "__main__":
    main()
