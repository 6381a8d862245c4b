"""Responses as the gateway gets them: headers that every answer has, and how a body is sent."""

from collections.abc import Mapping
from typing import Any

from chalice.app import CaseInsensitiveMapping, Request, Response

from chalicelib.entrypoints import cors
from chalicelib.entrypoints.answer import CONTENT_TYPE, Answer

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
WITHOUT_CONTENT = frozenset({204, 304})
BINARY_TYPES = ("application/json", "application/merge-patch+json")
"""Types whose bodies the gateway passes on as bytes, in Base64. As text, it would replace what is
not UTF-8, and the function could neither see nor refuse that."""


class TextResponse(Response):  # type: ignore[misc] # Chalice has no types
    """A response whose body is text, also where its type is binary in requests.

    The gateway decodes a body from Base64 only if the request's `Accept` names the type.
    """

    def to_dict(self, binary_types: list[str] | None = None) -> dict[str, Any]:  # noqa: ARG002
        """Return what Lambda sends."""
        return dict(super().to_dict(None))


def request_headers(request: Request) -> dict[str, str]:
    """Return the request's headers by their names in lower case.

    A header that is sent several times counts as one list, as RFC 9110 (5.3) has it.
    """
    headers = {name.lower(): str(value) for name, value in (request.headers or {}).items()}
    repeated = request.to_original_event().get("multiValueHeaders") or {}
    for name, values in repeated.items():
        if len(values) > 1:
            headers[name.lower()] = ", ".join(values)
    return headers


def respond(
    request: Request, headers: Mapping[str, str], request_id: str, answer: Answer
) -> Response:
    """Return the response with `answer`; its body is left out where HTTP has none.

    Args:
        request: the request that is answered.
        headers: its headers, with names in lower case.
        request_id: its id.
        answer: what the view returned, or a problem document.
    """
    response_headers = {
        **SECURITY_HEADERS,
        "X-Request-Id": request_id,
        **cors.headers(headers),
        **answer.headers,
    }
    if answer.status not in WITHOUT_CONTENT:
        response_headers[CONTENT_TYPE] = answer.content_type
    body = answer.body.decode()
    if request.method == "HEAD" and answer.status not in WITHOUT_CONTENT:
        if "requestId" in request.context:  # `chalice local` states the length of what it sends
            response_headers["Content-Length"] = str(len(answer.body))
        body = ""
    # Chalice refuses an answer of a binary type unless Accept names such a type.
    request.headers = CaseInsensitiveMapping({**headers, "accept": "*/*"})
    return TextResponse(body=body, status_code=answer.status, headers=response_headers)
