"""The responses of views: `Answer`, JSON bodies, and problem documents (RFC 9457)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chalicelib.idempotency.ports import StoredAnswer
from chalicelib.shared.errors import AetherLinkError

PROBLEM_TYPE = "https://aetherlink.dev/problems/"
MAX_INSTANCE_LENGTH = 2_048
MAX_DETAIL_LENGTH = 2_000
MAX_FIELD_LENGTH = 200
MAX_ERRORS = 50
"""How much of a request a problem document can repeat."""
CONTENT_TYPE = "Content-Type"


@dataclass(frozen=True, slots=True)
class Answer:
    """The response of a view. `body` is encoded and ready to send."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"

    def stored(self) -> StoredAnswer:
        """Return the answer in the form that is stored for a repeated idempotent request."""
        headers = {**self.headers, CONTENT_TYPE: self.content_type}
        return StoredAnswer(self.status, self.body, headers)


def json_answer(
    value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Answer:
    """Return an answer with `value` as its JSON body."""
    return Answer(json.dumps(value).encode(), status, headers or {})


def problem_document(problem: AetherLinkError, path: str, request_id: str) -> Answer:
    """Return the problem document (RFC 9457) for an error on the request to `path`."""
    members = {
        "type": PROBLEM_TYPE + problem.code,
        "title": problem.title,
        "status": problem.status,
        "detail": shortened(problem.detail, MAX_DETAIL_LENGTH),
        "instance": path[:MAX_INSTANCE_LENGTH],
        "code": problem.code,
        "requestId": request_id,
        "errors": [
            {
                "field": shortened(error.field, MAX_FIELD_LENGTH),
                "message": shortened(error.message, MAX_DETAIL_LENGTH),
            }
            for error in problem.errors[:MAX_ERRORS]
        ],
        **problem.extra,
    }
    return Answer(
        body=json.dumps(members).encode(),
        status=problem.status,
        headers=problem.headers,
        content_type="application/problem+json",
    )


def shortened(text: str, length: int) -> str:
    """Return `text` with at most `length` characters; an ellipsis stands for the rest."""
    return text if len(text) <= length else f"{text[: length - 1]}…"
