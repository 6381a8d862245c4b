"""Transactions: a refused one names its rail, and conflicts are retried with jitter.

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
TRANSIENT = {CONFLICT, "ThrottlingError", "ProvisionedThroughputExceeded"}
FIRST_PAUSE_SECONDS = 0.02
MAX_PAUSE_SECONDS = 0.5
DEFAULT_SECONDS = 5.0
MAX_ITEMS = 100
"""How many items one transaction may write, and one batch may read."""

Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Tables:
    """The names of the healer's four tables."""

    state: str
    actions: str
    audit: str
    totals: str

    @classmethod
    def of(cls, prefix: str) -> "Tables":
        """Return the tables whose names start with `prefix`."""
        return cls(*(f"{prefix}-{name}" for name in ("state", "actions", "audit", "ledger")))


@dataclass(frozen=True, slots=True)
class Step:
    """One write of a transaction; `rail` names its condition, where it has one."""

    write: Item
    rail: str = ""


class Stopped(Exception):
    """Conditions did not hold: each rail, with the stored item (empty where there is none)."""

    def __init__(self, rails: dict[str, Item]) -> None:
        self.rails = rails


def run(dynamodb: Any, steps: Sequence[Step], *, seconds: float = DEFAULT_SECONDS) -> None:
    """Write all `steps` or none.

    Raises:
        Stopped: a condition did not hold.
        errors.Unavailable: DynamoDB cannot be reached, or conflicts last longer than `seconds`.
    """
    deadline = time.monotonic() + seconds
    pause = FIRST_PAUSE_SECONDS
    while True:
        with translate_errors():
            try:
                dynamodb.transact_write_items(TransactItems=[step.write for step in steps])
            except ClientError as problem:
                _raise_unless_transient(problem, steps)
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
    """Return the item at each of `keys` that has one, read consistently.

    Raises:
        errors.Unavailable: DynamoDB cannot be reached, or returns only a part for longer
        than `seconds`.
    """
    deadline = time.monotonic() + seconds
    pause = FIRST_PAUSE_SECONDS
    items = dict[str, Item]()
    waiting = [{"pk": {"S": key}} for key in keys]
    while waiting:
        asked = {"Keys": waiting[:MAX_ITEMS], "ConsistentRead": True}
        with translate_errors():
            response = dynamodb.batch_get_item(RequestItems={table: asked})
        items |= {item["pk"]["S"]: item for item in response["Responses"].get(table, [])}
        unprocessed = response.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
        waiting = unprocessed + waiting[MAX_ITEMS:]
        if unprocessed:
            if time.monotonic() + pause >= deadline:
                raise unavailable("only some of the requested items were returned")
            time.sleep(random.uniform(0, pause))  # noqa: S311
            pause = min(pause * 2, MAX_PAUSE_SECONDS)
    return items


def _raise_unless_transient(problem: ClientError, steps: Sequence[Step]) -> None:
    """Return if `problem` is transient; raise what it means otherwise."""
    response: Any = problem.response
    code = response["Error"]["Code"]
    if code == "TransactionInProgressException":
        return
    if code != "TransactionCanceledException":
        raise problem
    reasons = response.get("CancellationReasons", [])
    pairs = list(zip(steps, reasons, strict=False))
    rails = {
        step.rail: reason.get("Item") or {}
        for step, reason in pairs
        if reason.get("Code") == CONDITION
    }
    if rails:
        raise Stopped(rails) from None
    if not any(reason.get("Code") in TRANSIENT for reason in reasons):
        raise problem


@contextmanager
def translate_errors() -> Iterator[None]:
    """Turn errors of DynamoDB's client into `errors.Unavailable`."""
    try:
        yield
    except (BotoCoreError, ClientError) as problem:
        raise unavailable(f"{type(problem).__name__}: {problem}") from problem


def conditional_write(write: Callable[..., Any], call: Item) -> bool:
    """Make a conditional write; return whether its condition held.

    Raises:
        errors.Unavailable: DynamoDB cannot be reached.
    """
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
    """Return the error of a store that cannot be reached."""
    return Unavailable(
        "The store of the self-healing cannot be reached. Try again soon.",
        code="autoheal-store-unavailable",
        headers={"Retry-After": "5"},
        cause=cause[:300],
    )
