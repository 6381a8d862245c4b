"""A check: what it asks, and what came of it."""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import requests
from botocore.exceptions import BotoCoreError, ClientError
from kafka.errors import KafkaError

from chalicelib.shared.errors import AetherLinkError
from infra.readiness.target import Target

AT_ONCE = 6
POLL_SECONDS = 3.0


class Wrong(Exception):
    """What was found is not as it should be; the text says what was found."""


class NotHere(Exception):
    """There is nothing to ask; the text says why."""


class State(StrEnum):
    """What came of a check."""

    OK = "ok"
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Check:
    """Asks for one thing. `look` returns what it found, or raises `Wrong` or `NotHere`."""

    name: str
    asks: str
    remedy: str
    look: Callable[[Target], str]


def check(name: str, asks: str, remedy: str) -> Callable[[Callable[[Target], str]], Check]:
    """Return what makes a check of a function."""
    return lambda look: Check(name, asks, remedy, look)


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of a check; `remedy` is there where it failed."""

    name: str
    asks: str
    state: State
    found: str
    remedy: str = ""

    def shown(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


def run(checks: Iterable[Check], target: Target) -> list[Finding]:
    """Ask for everything, some of it at once; return what came of it, in the order of `checks`."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda one: _one(one, target), checks))


def run_until(
    checks: Iterable[Check],
    target: Target,
    seconds: float,
    say: Callable[[str], None] = lambda _: None,
) -> list[Finding]:
    """Ask as `run` does, and what failed again, for `seconds` at most: a fresh deployment needs its first minute."""
    known = {one.name: one for one in checks}
    found = {one.name: one for one in run(known.values(), target)}
    deadline = time.monotonic() + seconds
    waiting = list[str]()
    while failed := [name for name, one in found.items() if one.state is State.FAIL]:
        if time.monotonic() >= deadline:
            break
        if failed != waiting:
            say(f"· waiting for: {', '.join(failed)}")
            waiting = failed
        time.sleep(min(POLL_SECONDS, max(0.0, deadline - time.monotonic())))
        found |= {one.name: one for one in run([known[name] for name in failed], target)}
    return list(found.values())


def _one(check: Check, target: Target) -> Finding:
    try:
        return Finding(check.name, check.asks, State.OK, check.look(target))
    except NotHere as reason:
        return Finding(check.name, check.asks, State.SKIP, str(reason))
    except Wrong as problem:
        said = str(problem)
    except requests.RequestException as problem:
        where = (
            problem.request.url.split("?")[0]
            if problem.request and problem.request.url
            else "the API"
        )
        said = f"{where} does not answer: {type(problem).__name__}"
    except (AetherLinkError, BotoCoreError, ClientError, KafkaError) as problem:
        said = f"{type(problem).__name__}: {getattr(problem, 'cause', '') or problem}"[:300]
    except (KeyError, TypeError, ValueError, IndexError) as problem:
        said = f"the answer cannot be read: {type(problem).__name__} {problem}"[:300]
    return Finding(check.name, check.asks, State.FAIL, said, check.remedy)
