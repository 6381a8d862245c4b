"""Conditional requests (RFC 9110, 13): the headers `If-Match` and `If-None-Match`."""

from collections.abc import Mapping
from dataclasses import replace

from chalicelib.entrypoints.answer import Answer
from chalicelib.shared.errors import FieldError, Invalid, PreconditionFailed
from chalicelib.shared.preconditions import EntityTags, Precondition

IF_MATCH = "If-Match"
IF_NONE_MATCH = "If-None-Match"
SAFE_METHODS = frozenset({"GET", "HEAD"})


def precondition(headers: Mapping[str, str]) -> Precondition:
    """Return what the headers, with names in lower case, demand of the resource.

    Raises:
        errors.Invalid: one of them is not a list of entity tags.
    """
    return Precondition(_tags(headers, IF_MATCH), _tags(headers, IF_NONE_MATCH))


def evaluated(answer: Answer, demand: Precondition) -> Answer:
    """Return the answer to a GET or HEAD under a precondition: as it is, or a 304 without a body.

    Raises:
        errors.PreconditionFailed: `If-Match` does not name the present version.
    """
    if answer.status != 200:
        return answer
    etag = answer.headers.get("ETag")
    tag = etag.strip('"') if etag else None
    if not demand.matches(tag):
        raise PreconditionFailed(
            "The present version is none of those in If-Match.",
            headers={"ETag": etag} if etag else {},
        )
    return replace(answer, status=304, body=b"") if demand.has(tag) else answer


def _tags(headers: Mapping[str, str], name: str) -> EntityTags | None:
    header = headers.get(name.lower())
    if header is None:
        return None
    try:
        return EntityTags.parse(header)
    except ValueError:
        reason = 'must be * or a list of ETags such as "3", "4"'
        errors = [FieldError(name, reason)]
        raise Invalid(f"{name} {reason}.", code="bad-etag", errors=errors) from None
