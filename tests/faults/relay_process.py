"""A relay in a process of its own that can be killed at any step between its ports.

`python -m tests.faults.relay_process`
"""

import argparse
import os
import signal
import time
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import chalicelib.adapters.kafka
import chalicelib.adapters.postgres.outbox_store  # noqa: F401 # loaded before the fork
from chalicelib.bootstrap import container
from chalicelib.outbox.ports import OutboxStore
from chalicelib.outbox.relay import Relay
from chalicelib.shared.clock import SystemClock

CALLS = (
    "claim",
    "fetch",
    "partition_of",
    "send",
    "wait",
    "mark",
    "refuse",
    "park",
    "release",
    "close",
)
STEPS = tuple(f"{moment}:{call}" for call in CALLS for moment in ("before", "after"))
"""Every moment between two steps of a run: before and after each call of a port."""


class WrongClock(SystemClock):
    """A machine clock that is wrong by some seconds."""

    def __init__(self, offset_seconds: float) -> None:
        self._offset = timedelta(seconds=offset_seconds)

    def now(self) -> datetime:
        return super().now() + self._offset


class KillSwitch:
    """Kills the process the `countdown`-th time that it reaches `step`."""

    def __init__(self, step: str, countdown: int = 1) -> None:
        self._step = step
        self._countdown = countdown

    def reach(self, step: str) -> None:
        if step == self._step:
            self._countdown -= 1
            if self._countdown <= 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def wrap(self, port: Any) -> Any:
        """Return `port` with its calls as steps."""
        return _Wrapped(port, self)


class _Wrapped:
    """Passes calls on to `port`, and reports each to the kill switch."""

    def __init__(self, port: Any, switch: KillSwitch) -> None:
        self._port = port
        self._switch = switch

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)

        def call(*arguments: Any, **named: Any) -> Any:
            self._switch.reach(f"before:{name}")
            result = method(*arguments, **named)
            self._switch.reach(f"after:{name}")
            return self._switch.wrap(result) if name == "send" else result

        return call


def with_short_leases(store: OutboxStore, lease_seconds: float) -> OutboxStore:
    """Return `store` with leases of at most `lease_seconds`."""
    claim = store.claim

    def claim_briefly(owner: UUID, *, limit: int, seconds: float) -> list[int]:
        return claim(owner, limit=limit, seconds=min(seconds, lease_seconds))

    store.claim = claim_briefly  # type: ignore[method-assign]
    return store


def main(argv: list[str] | None = None) -> None:
    """Run one relay."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--until-idle", action="store_true")
    parser.add_argument("--die-at", default="", choices=("", *STEPS))
    parser.add_argument("--countdown", type=int, default=1)
    parser.add_argument(
        "--clock-off", type=float, default=0.0, help="seconds ahead (negative: behind)"
    )
    parser.add_argument(
        "--lease-seconds", type=float, help="cut leases short, so that relays overlap"
    )
    arguments = parser.parse_args(argv)
    if arguments.clock_off:
        real_time = time.time
        time.time = lambda: real_time() + arguments.clock_off
    services = container().outbox
    store: OutboxStore = services.store("aetherlink-relay")
    policy = services.relay_policy()
    if arguments.lease_seconds is not None:
        store = with_short_leases(store, arguments.lease_seconds)
        policy = replace(policy, claim_seconds=arguments.lease_seconds)
    switch = KillSwitch(arguments.die_at, arguments.countdown)
    relay = Relay(
        switch.wrap(store),
        lambda: switch.wrap(services.publisher()),
        WrongClock(arguments.clock_off),
        policy,
        container().telemetry.relay_meter,
    )
    relay.run(arguments.seconds, until_idle=arguments.until_idle)


if __name__ == "__main__":
    main()
