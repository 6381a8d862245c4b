"""What a command prints while it works: a line before each slow step, and one after it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol


class Startable(Protocol):
    """A service as far as its progress goes."""

    def describe(self) -> str:
        """Return in a few words what it is and where."""
        ...

    def needs_download(self) -> bool:
        """Return whether its first start has to download something."""
        ...


class Progress:
    """Says each step before it begins and once it is done, with the seconds it took."""

    def __init__(self, say: Callable[[str], None]) -> None:
        """Pass each line to `say`."""
        self.say = say

    def start(self, service: Startable, start: Callable[[], bool]) -> None:
        """Start `service` by `start`, which returns whether there was anything to do."""
        download = ", downloading it first" if service.needs_download() else ""
        self.say(f"· starting {service.describe()}{download}")
        started = time.monotonic()
        if start():
            self.say(f"✓ {service.describe()} ({time.monotonic() - started:.1f} s)")
        else:
            self.say(f"✓ {service.describe()} (already running)")

    @contextmanager
    def step(self, doing: str, done: str) -> Iterator[None]:
        """Say `doing` before the block and `done` after it."""
        self.say(f"· {doing}")
        started = time.monotonic()
        yield
        self.say(f"✓ {done} ({time.monotonic() - started:.1f} s)")
