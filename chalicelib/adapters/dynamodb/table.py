"""The table of idempotency keys and counters, which is not asked again right after a failure."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.shared.errors import Unavailable

LEFT_ALONE_SECONDS = 2.0
"""How long the table is not asked after a failure.

Each request would wait for it, and the answer store decides in any case.
"""


class IdempotencyTable:
    """A table that is left alone for a while after a failure."""

    def __init__(self, dynamodb: Any, table: str) -> None:
        """Use `table`, whose key is `pk` and whose TTL attribute is `expires_at`."""
        self._dynamodb = dynamodb
        self._table = table
        self._unavailable_until = float("-inf")

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        """Raise `ConditionFailed` or `errors.Unavailable`; after the latter, pause for a while."""
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
    """A condition did not hold; `item` is the one that is stored."""

    def __init__(self, item: dict[str, Any]) -> None:
        self.item = item


def _unavailable(problem: Exception | str) -> Unavailable:
    cause = problem if isinstance(problem, str) else f"{type(problem).__name__}: {problem}"
    return Unavailable(
        "The store of idempotency keys cannot be reached. Try again soon.",
        code="idempotency-unavailable",
        cause=cause[:300],
    )
