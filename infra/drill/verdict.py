"""How a drill ended: every link held, or which one broke first, why, and what to do."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

POLL_SECONDS = 0.25
Value = TypeVar("Value")


class Broken(Exception):
    """A link does not hold."""

    def __init__(self, link: str, what: str, remedy: str) -> None:
        """Name the `link`, say `what` was seen instead, and the `remedy`."""
        super().__init__(f"{link}: {what}")
        self.link = link
        self.what = what
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome. `link` and the others are empty where all is well."""

    passed: bool
    link: str = ""
    what: str = ""
    remedy: str = ""

    @classmethod
    def of(cls, problem: Broken | None) -> "Verdict":
        """Return the verdict about the first link that broke."""
        return (
            cls(True) if problem is None else cls(False, problem.link, problem.what, problem.remedy)
        )

    def text(self) -> str:
        """Return it for people."""
        if self.passed:
            return "✓ the drill passed: every link held"
        return f"✗ the drill failed at: {self.link}\n    {self.what}\n    remedy: {self.remedy}"


def within(seconds: float, look: Callable[[], Value]) -> Value:
    """Return the first true value of `look`, or its last value after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (value := look()) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return value
