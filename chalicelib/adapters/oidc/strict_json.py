"""JSON objects of the issuer and of tokens, read strictly.

Two readers of an object with a duplicate name may see two different tokens (RFC 8725,
section 2.4).
"""

from typing import Any

from chalicelib.shared import json_text


def read_object(raw: bytes) -> dict[str, Any]:
    """Return the JSON object in `raw`.

    Raises:
        ValueError: it is not a JSON object, or readers could interpret it differently.
    """
    value = json_text.load(raw)
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004 - callers handle ValueError alone
    return value
