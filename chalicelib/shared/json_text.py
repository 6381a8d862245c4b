"""JSON texts from outside, read strictly: what two readers could understand differently is refused.

RFC 8259 leaves open what a doubled key means, and readers differ: here it is an error. The text is
UTF-8 without a byte order mark, and the numbers are those of JSON alone (no NaN, no Infinity).
"""

import json
from collections.abc import Sequence
from typing import Any, NoReturn


class BadJson(ValueError):
    """The text is not JSON as it is read here.

    The message is a predicate, e.g. `states a key twice in one object`; it repeats no text.
    """


def decode(body: bytes) -> str:
    """Return `body` as text.

    Raises:
        BadJson: it is not UTF-8, or begins with a byte order mark.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadJson(f"is not UTF-8: byte {error.start} is invalid") from None
    if text.startswith("\ufeff"):
        raise BadJson("begins with a byte order mark; send UTF-8 without one")
    return text


def load(body: bytes) -> Any:
    """Return the value that `body` states.

    Raises:
        BadJson: not JSON, not UTF-8, a key that is stated twice, or nested too deeply.
    """
    text = decode(body)
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_refuse_constant)
    except BadJson:
        raise
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        raise BadJson(f"is not valid JSON: {error.msg} at {where}") from None
    except RecursionError:
        raise BadJson("is nested too deeply") from None
    except ValueError:
        raise BadJson("has a number with too many digits") from None


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise BadJson("states a key twice in one object")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise BadJson(f"is not valid JSON: {name} is not a JSON number")
