"""The size of answers, as Lambda sends them.

Lambda sends an answer to the gateway as JSON, inside which the body is a text: a quotation mark
takes two bytes there and `é` six. Over the limit the caller would get a 502 of the gateway's own.
"""

import json
from collections.abc import Iterable
from typing import Final

LAMBDA_LIMIT: Final = 6_291_556
"""The largest answer of a Lambda function, in bytes."""
MARGIN: Final = 65_536
"""In bytes: for headers, and for what the runtime may add."""
MAX_ENCODED: Final = LAMBDA_LIMIT - MARGIN
"""The largest body, in bytes as encoded."""
MAX_PAGE: Final = MAX_ENCODED - MARGIN
"""The largest sum of a page's items, in bytes as encoded; the rest is for what is around them."""
WORST_FACTOR: Final = 6
"""How many bytes a byte of a body takes at most: a control character becomes `\\u0001`."""


def encoded_size(body: bytes) -> int:
    """Return how many bytes `body`, a UTF-8 text, takes in the answer that Lambda sends."""
    return len(json.dumps(body.decode("utf-8", "replace")))


def fits(body: bytes) -> bool:
    """Return whether an answer with `body` is small enough for Lambda."""
    return len(body) * WORST_FACTOR <= MAX_ENCODED or encoded_size(body) <= MAX_ENCODED


def fitting(items: Iterable[bytes]) -> int:
    """Return how many of a page's items fit into one answer, from the first on.

    The first is always one of them, so that paging goes on.
    """
    total = 0
    count = 0
    for item in items:
        total += encoded_size(item)
        if total > MAX_PAGE and count:
            break
        count += 1
    return count
