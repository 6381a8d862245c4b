"""Transactions: what stopped one is named, and conflicts with others are tried again with jitter.

DynamoDB cancels a transaction that meets another one on the same item
(`TransactionConflict`); emulators never do. The client puts the same request token on each
of its own retries, so a lost answer adds nothing twice.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.shared.errors import Unavailable

CONDITION = "ConditionalCheckFailed"
CONFLICT = "TransactionConflict"
PASSING = {CONFLICT, "ThrottlingError", "ProvisionedThroughputExceeded"}
FIRST_PAUSE_SECONDS = 0.02
MAX_PAUSE_SECONDS = 0.5
DEFAULT_SECONDS = 5.0
MAX_ITEMS = 100
"""What one transaction takes, and one reading of many."""

Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Tables:
    """The four tables' names."""

    state: str
    actions: str
    audit: str
    totals: str

    @classmethod
    def of(cls, prefix: str) -> "Tables":
        """Return the names that start with `prefix`."""
        return cls(*(f"{prefix}-{name}" for name in ("state", "actions", "audit", "ledger")))


@dataclass(frozen=True, slots=True)
class Step:
    """One write of a transaction; `rail` names its condition, where it has one."""

    write: Item
    rail: str = ""


class Stopped(Exception):
    """Conditions did not hold: each rail with the item that is there (empty where there is none)."""

    def __init__(self, rails: dict[str, Item]) -> None:
        self.rails = rails


def run(dynamodb: Any, steps: Sequence[Step], *, seconds: float = DEFAULT_SECONDS) -> None:
    """Do all `steps` or none.

    Raises:
        Stopped: a condition did not hold.
        errors.Unavailable: DynamoDB is away, or conflicts lasted longer than `seconds`.
    """
    deadline = time.monotonic() + seconds
    pause = FIRST_PAUSE_SECONDS
    while True:
        with translate_errors():
            try:
                dynamodb.transact_write_items(TransactItems=[step.write for step in steps])
            except ClientError as problem:
                _passing(problem, steps)
            else:
                return
        wait = random.uniform(0, pause)  # noqa: S311
        if time.monotonic() + wait >= deadline:
            raise unavailable("too many concurrent writes to the same items")
        time.sleep(wait)
        pause = min(pause * 2, MAX_PAUSE_SECONDS)


def read_all(
    dynamodb: Any, table: str, keys: Sequence[str], *, seconds: float = DEFAULT_SECONDS
) -> dict[str, Item]:
    """Return what there is at each of `keys`, read consistently.

    Raises:
        errors.Unavailable: DynamoDB is away, or answers only a part for longer than
        `seconds`.
    """
    deadline = time.monotonic() + seconds
    pause = FIRST_PAUSE_SECONDS
    found = dict[str, Item]()
    waiting = [{"pk": {"S": key}} for key in keys]
    while waiting:
        asked = {"Keys": waiting[:MAX_ITEMS], "ConsistentRead": True}
        with translate_errors():
            got = dynamodb.batch_get_item(RequestItems={table: asked})
        found |= {item["pk"]["S"]: item for item in got["Responses"].get(table, [])}
        put_off = got.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
        waiting = put_off + waiting[MAX_ITEMS:]
        if put_off:
            if time.monotonic() + pause >= deadline:
                raise unavailable("only some of the requested items were returned")
            time.sleep(random.uniform(0, pause))
            pause = min(pause * 2, MAX_PAUSE_SECONDS)
    return found


def _passing(problem: ClientError, steps: Sequence[Step]) -> None:
    """Return if `problem` passes by itself; raise what it is otherwise."""
    response: Any = problem.response
    code = response["Error"]["Code"]
    if code == "TransactionInProgressException":
        return
    if code != "TransactionCanceledException":
        raise problem
    reasons = response.get("CancellationReasons", [])
    pairs = list(zip(steps, reasons, strict=False))
    rails = {
        step.rail: why.get("Item") or {} for step, why in pairs if why.get("Code") == CONDITION
    }
    if rails:
        raise Stopped(rails) from None
    if not any(why.get("Code") in PASSING for why in reasons):
        raise problem


@contextmanager
def translate_errors() -> Iterator[None]:
    """Turn what goes wrong with DynamoDB into `errors.Unavailable`."""
    try:
        yield
    except (BotoCoreError, ClientError) as problem:
        raise unavailable(f"{type(problem).__name__}: {problem}") from problem


def conditional_write(write: Callable[..., Any], call: Item) -> bool:
    """Do a single conditional write; return whether its condition held. Raises `errors.Unavailable`."""
    with translate_errors():
        try:
            write(**call)
        except ClientError as problem:
            response: Any = problem.response
            if response["Error"]["Code"] == "ConditionalCheckFailedException":
                return False
            raise
    return True


def unavailable(cause: str) -> Unavailable:
    """Return the error of a store that does not answer."""
    return Unavailable(
        "The store of the self-healing cannot be reached. Try again soon.",
        code="autoheal-store-unavailable",
        headers={"Retry-After": "5"},
        cause=cause[:300],
    )
