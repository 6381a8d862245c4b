"""What happens each minute, as many times faster as the rules are; and some traffic, so that there is data."""

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
HOPELESS = 4
JOIN_SECONDS = 15.0
"""Longest wait for each at the end. A relay that goes on after that ends by itself within its function's time."""


@dataclass
class Clock:
    """Does something again and again until it is stopped. `problem` is why the last time failed, the `failures`th."""

    what: Callable[[], object]
    every: float
    problem: str = ""
    failures: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _going: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Go until stopped; what fails is noted, and tried again."""
        while not self._stop.wait(self.every):
            if not self._going.wait(self.every):
                continue
            try:
                self.what()
                self.problem = ""
                self.failures = 0
            except Exception as problem:
                self.problem = f"{type(problem).__name__}: {problem}"[:300]
                self.failures += 1

    @property
    def broken(self) -> bool:
        """Tell whether it failed so often that it will go on failing."""
        return self.failures >= HOPELESS

    def pause(self) -> None:
        """Let it rest."""
        self._going.clear()

    def resume(self) -> None:
        """Let it go on."""
        self._going.set()

    def stop(self) -> None:
        """Let it end."""
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
    """Run ticks and pushes each `every` seconds, the relay without a pause, and some traffic, within the block."""
    clocks = Clocks(
        Clock(lambda: site.invoke(TICK), every),
        Clock(lambda: site.invoke(PUSH), every),
        Clock(lambda: site.invoke(RELAY), 0.0),
        Clock(_traffic(site), TRAFFIC_SECONDS),
    )
    threads = [threading.Thread(target=one.run, daemon=True) for one in clocks.all()]
    for one, thread in zip(clocks.all(), threads, strict=True):
        one.resume()
        thread.start()
    try:
        yield clocks
    finally:
        for one in clocks.all():
            one.stop()
        for one, thread in zip(clocks.all(), threads, strict=True):
            if one is not clocks.relay:
                thread.join(JOIN_SECONDS)


def _traffic(site: Site) -> Callable[[], object]:
    """Return what writes an account and reads it, as a salesperson of a tenant of its own does."""
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {site.stack.issuer.token(Role.SALES, uuid4())}"

    def once() -> None:
        answer = session.post(f"{site.api}/api/crm/accounts", json={"name": "Drill"}, timeout=10)
        answer.raise_for_status()
        session.get(
            f"{site.api}/api/crm/accounts/{answer.json()['id']}", timeout=10
        ).raise_for_status()

    return once
