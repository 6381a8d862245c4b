"""A check: its question, and its finding."""

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
    """A check fails; the text says what was found."""


class NotHere(Exception):
    """A check does not apply here; the text says why."""


class State(StrEnum):
    """The state of a finding."""

    OK = "ok"
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Check:
    """One question. `look` returns what it found, or raises `Wrong` or `NotHere`."""

    name: str
    asks: str
    remedy: str
    look: Callable[[Target], str]


def check(name: str, asks: str, remedy: str) -> Callable[[Callable[[Target], str]], Check]:
    """Return a decorator that makes a function a check."""
    return lambda look: Check(name, asks, remedy, look)


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a check; `remedy` is set if it failed."""

    name: str
    asks: str
    state: State
    found: str
    remedy: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


def run(checks: Iterable[Check], target: Target) -> list[Finding]:
    """Run the checks, some in parallel; return their findings in the same order."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda check: _run(check, target), checks))


def run_until(
    checks: Iterable[Check],
    target: Target,
    seconds: float,
    say: Callable[[str], None] = lambda _: None,
) -> list[Finding]:
    """Run the checks, and retry those that failed for at most `seconds`.

    A fresh deployment fails some in its first minute, before its schedules have run.
    """
    by_name = {check.name: check for check in checks}
    findings = {finding.name: finding for finding in run(by_name.values(), target)}
    deadline = time.monotonic() + seconds
    waiting = list[str]()
    while failed := _failed(findings.values()):
        if time.monotonic() >= deadline:
            break
        if failed != waiting:
            say(f"· waiting for: {', '.join(failed)}")
            waiting = failed
        time.sleep(min(POLL_SECONDS, max(0.0, deadline - time.monotonic())))
        again = run([by_name[name] for name in failed], target)
        findings |= {finding.name: finding for finding in again}
    return list(findings.values())


def _failed(findings: Iterable[Finding]) -> list[str]:
    return [finding.name for finding in findings if finding.state is State.FAIL]


def _run(check: Check, target: Target) -> Finding:
    try:
        return Finding(check.name, check.asks, State.OK, check.look(target))
    except NotHere as reason:
        return Finding(check.name, check.asks, State.SKIP, str(reason))
    except Wrong as problem:
        text = str(problem)
    except requests.RequestException as problem:
        url = (
            problem.request.url.split("?")[0]
            if problem.request and problem.request.url
            else "the API"
        )
        text = f"{url} does not answer: {type(problem).__name__}"
    except (AetherLinkError, BotoCoreError, ClientError, KafkaError) as problem:
        text = f"{type(problem).__name__}: {getattr(problem, 'cause', '') or problem}"[:300]
    except (KeyError, TypeError, ValueError, IndexError) as problem:
        text = f"the response cannot be parsed: {type(problem).__name__} {problem}"[:300]
    return Finding(check.name, check.asks, State.FAIL, text, check.remedy)
