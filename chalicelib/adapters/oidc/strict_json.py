"""JSON objects, read strictly: duplicate names and NaN are refused.

Two readers of an object with a duplicate name may see two different tokens (RFC 8725,
section 2.4).
"""

import json
from typing import Any


def read_object(raw: bytes) -> dict[str, Any]:
    """Return the JSON object in `raw`.

    Raises:
        ValueError: it is not a JSON object, or readers could interpret it differently.
    """
    try:
        value = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_without_duplicates,
            parse_constant=_refuse_constant,
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004 - callers handle ValueError alone
    return value


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name occurs twice")
    return members


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"{constant} is not a JSON number")
