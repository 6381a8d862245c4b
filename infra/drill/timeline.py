"""What happened when: printed as it happens, and kept for the report."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum


class Sort(StrEnum):
    """What sort of thing happened."""

    ACT = "act"
    DONE = "done"
    SEEN = "seen"
    ALERT = "alert"
    BROKEN = "broken"


class Step(StrEnum):
    """What the system does about a break, in this order."""

    DETECT = "detect"
    ACT = "act"
    VERIFY = "verify"


MARKS = {Sort.ACT: "\n▶", Sort.DONE: "·", Sort.SEEN: "✓", Sort.ALERT: "!", Sort.BROKEN: "✗"}


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened, `seconds` after the start."""

    seconds: float
    sort: Sort
    text: str


@dataclass
class Timeline:
    """The moments so far; several threads may add to it."""

    say: Callable[[str], None]
    moments: list[Moment] = field(default_factory=list)
    response: dict[Step, float] = field(default_factory=dict)
    """How many seconds after the break the system had taken each step."""
    started: float = field(default_factory=time.time)
    """When it began, Unix seconds."""
    _broke: float = 0.0
    _began: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def seconds(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self._began

    def add(self, sort: Sort, text: str) -> None:
        """Record and print that something happened now."""
        with self._lock:
            self.moments.append(Moment(round(self.seconds(), 1), sort, text))
            mark = MARKS[sort]
            line = (
                f"{mark} {text}"
                if sort is Sort.ACT
                else f"{self.moments[-1].seconds:7.1f} s  {mark} {text}"
            )
            self.say(line)

    def breaks(self) -> None:
        """Note that something is broken now."""
        self._broke = time.time()

    def reached(self, step: Step, at: float) -> None:
        """Note that the system took `step` about the break at `at`, in Unix seconds."""
        self.response[step] = round(max(0.0, at - self._broke), 1)

    def act(self, text: str) -> None:
        """Begin an act."""
        self.add(Sort.ACT, text)

    def done(self, text: str) -> None:
        """Note what the drill did."""
        self.add(Sort.DONE, text)

    def seen(self, text: str) -> None:
        """Note that a link held."""
        self.add(Sort.SEEN, text)
