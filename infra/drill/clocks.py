"""Scheduled work, as many times faster as the rules are, and some traffic to produce data."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import uuid4

import requests

from chalicelib.security.identity import Role
from infra.drill.site import Site

TICK = "AutohealTick"
PUSH = "MetricsPush"
RELAY = "Relay"
TRAFFIC_SECONDS = 1.0
MAX_FAILURES = 4
JOIN_SECONDS = 15.0
"""The longest wait for each thread. A relay that runs on is ended by its function's timeout."""


@dataclass
class Clock:
    """Calls `what` every `every` seconds until it is stopped.

    `problem` says why the last call failed, `failures` how many failed in a row.
    """

    what: Callable[[], object]
    every: float
    problem: str = ""
    failures: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _going: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Run until stopped; a failure is recorded, and the next call is made all the same."""
        while not self._stop.wait(self.every):
            if not self._going.wait(self.every):
                continue
            try:
                self.what()
                self.problem = ""
                self.failures = 0
            except Exception as problem:  # noqa: BLE001, whatever it is, the next call may work
                self.problem = f"{type(problem).__name__}: {problem}"[:300]
                self.failures += 1

    @property
    def broken(self) -> bool:
        """Return whether it failed so often in a row that it will not recover."""
        return self.failures >= MAX_FAILURES

    def pause(self) -> None:
        """Make no calls until resumed."""
        self._going.clear()

    def resume(self) -> None:
        """Make calls again."""
        self._going.set()

    def stop(self) -> None:
        """End it."""
        self._stop.set()


@dataclass(frozen=True)
class Clocks:
    """The clocks of a drill."""

    tick: Clock
    push: Clock
    relay: Clock
    traffic: Clock

    def all(self) -> tuple[Clock, ...]:
        """Return each of them."""
        return self.tick, self.push, self.relay, self.traffic


@contextmanager
def running(site: Site, every: float) -> Iterator[Clocks]:
    """Within the block, run ticks and pushes every `every` seconds, the relay, and some traffic."""
    clocks = Clocks(
        Clock(lambda: site.invoke(TICK), every),
        Clock(lambda: site.invoke(PUSH), every),
        Clock(lambda: site.invoke(RELAY), 0.0),
        Clock(_traffic(site), TRAFFIC_SECONDS),
    )
    threads = [threading.Thread(target=clock.run, daemon=True) for clock in clocks.all()]
    for clock, thread in zip(clocks.all(), threads, strict=True):
        clock.resume()
        thread.start()
    try:
        yield clocks
    finally:
        for clock in clocks.all():
            clock.stop()
        for clock, thread in zip(clocks.all(), threads, strict=True):
            if clock is not clocks.relay:
                thread.join(JOIN_SECONDS)


def _traffic(site: Site) -> Callable[[], object]:
    """Return a function that creates and reads an account, as sales of a tenant of its own."""
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {site.stack.issuer.token(Role.SALES, uuid4())}"

    def once() -> None:
        answer = session.post(f"{site.api}/api/crm/accounts", json={"name": "Drill"}, timeout=10)
        answer.raise_for_status()
        session.get(
            f"{site.api}/api/crm/accounts/{answer.json()['id']}", timeout=10
        ).raise_for_status()

    return once
