"""Leases of idempotency keys in DynamoDB: one conditional write to claim, one to finish or let go. And counters."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.shared.errors import Unavailable

LEFT_ALONE_SECONDS = 2.0
"""How long a store that was away is not asked: each request would wait for it, and the ledger decides anyway."""


class IdempotencyTable:
    """A table that is left alone for a while after trouble."""

    def __init__(self, dynamodb: Any, table: str) -> None:
        """Use `table`, whose key is `pk` and whose TTL attribute is `expires_at`."""
        self._dynamodb = dynamodb
        self._table = table
        self._unavailable_until = float("-inf")

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        """Tell a condition that did not hold from a store that is away, and leave the latter alone for a while."""
        if time.monotonic() < self._unavailable_until:
            raise _unavailable("not tried again yet after a failure")
        try:
            yield
        except ClientError as problem:
            if problem.response["Error"]["Code"] == "ConditionalCheckFailedException":
                item: Any = problem.response.get("Item")
                raise ConditionFailed(item or {}) from None
            self._unavailable_until = time.monotonic() + LEFT_ALONE_SECONDS
            raise _unavailable(problem) from problem
        except BotoCoreError as problem:
            self._unavailable_until = time.monotonic() + LEFT_ALONE_SECONDS
            raise _unavailable(problem) from problem


class ConditionFailed(Exception):
    """A condition did not hold; `item` is what is there."""

    def __init__(self, item: dict[str, Any]) -> None:
        self.item = item


def _unavailable(problem: Exception | str) -> Unavailable:
    cause = problem if isinstance(problem, str) else f"{type(problem).__name__}: {problem}"
    return Unavailable(
        "The store of idempotency keys cannot be reached. Try again soon.",
        code="idempotency-unavailable",
        cause=cause[:300],
    )
