"""One HTTP request, as a view sees it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from chalice.app import Request

from chalicelib.bootstrap import container
from chalicelib.idempotency.key import IdempotencyKey
from chalicelib.security.identity import Principal
from chalicelib.shared.errors import (
    FieldError,
    Invalid,
    PreconditionRequired,
    TooLarge,
    UnsupportedMediaType,
)

JSON_TYPES = ("application/json",)
PATCH_TYPES = ("application/merge-patch+json", "application/json")
ETAG = re.compile(r'"(\d{1,9})"')
DEFAULT_SECONDS_LEFT = 30.0
"""How long a request may take where no Lambda context limits it, as in the local server."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request and its caller. `caller` is None on public routes."""

    request: Request
    request_id: str
    traceparent: str
    caller: Principal | None
    path: Mapping[str, str]
    headers: Mapping[str, str]
    """The request headers; names are in lower case."""
    idempotency_key: IdempotencyKey | None = None

    @property
    def principal(self) -> Principal:
        """Return the authenticated caller."""
        if self.caller is None:
            raise RuntimeError("a public endpoint has no principal")
        return self.caller

    @property
    def query(self) -> Mapping[str, str]:
        """Return the query parameters. The last value of a repeated parameter counts."""
        return self.request.query_params or {}

    @property
    def seconds_left(self) -> float:
        """Return how many seconds this request may still take."""
        context = self.request.lambda_context
        if not context:
            return DEFAULT_SECONDS_LEFT
        return float(context.get_remaining_time_in_millis() / 1_000)

    @property
    def raw_body(self) -> bytes:
        """Return the request body without any check of its type or size."""
        body = self.request.raw_body
        return body if isinstance(body, bytes) else str(body).encode()

    def body(self, types: tuple[str, ...] = JSON_TYPES, *, max_bytes: int | None = None) -> bytes:
        """Return the request body, of at most `max_bytes` (by default, HTTP_MAX_BODY_BYTES).

        Raises:
            errors.UnsupportedMediaType: the Content-Type is none of `types`.
            errors.TooLarge: the body is longer than the limit.
        """
        header = self.headers.get("content-type", types[0])
        content_type = header.partition(";")[0].strip().lower()
        if content_type not in types:
            raise UnsupportedMediaType(
                f"The Content-Type must be {' or '.join(types)}, "
                f"not {content_type[:100] or 'empty'}."
            )
        body = self.raw_body
        limit = container().settings.http.max_body_bytes if max_bytes is None else max_bytes
        if len(body) > limit:
            raise TooLarge(f"The body has {len(body)} bytes; the limit is {limit} bytes.")
        return body

    @property
    def id(self) -> UUID:
        """Return the id in the path.

        Raises:
            errors.Invalid: it is not a UUID.
        """
        text = self.path["id"]
        try:
            if len(text) != len(str(UUID(text))):
                raise ValueError
            return UUID(text)
        except ValueError:
            reason = "must be a UUID such as 0197a3c0-5f3e-7cc4-9d0a-2b8b6f0f1e11"
            errors = [FieldError("id", reason)]
            raise Invalid(f"id {reason}.", code="bad-id", errors=errors) from None

    def expected_version(self, *, required: bool = False) -> int | None:
        """Return the version that `If-Match` names, or None for any version.

        Raises:
            errors.PreconditionRequired: `required`, and there is no `If-Match`.
            errors.Invalid: `If-Match` is not an ETag of this API.
        """
        header = self.headers.get("if-match")
        if header is None and required:
            raise PreconditionRequired(
                'Send If-Match with the ETag of the version that you read, e.g. If-Match: "3".'
            )
        if header is None or header.strip() == "*":
            return None
        match = ETAG.fullmatch(header.strip().removeprefix("W/"))
        if match is None:
            reason = 'must be a single ETag of this resource, e.g. "3", or *'
            errors = [FieldError("If-Match", reason)]
            raise Invalid(f"If-Match {reason}.", code="bad-etag", errors=errors)
        return int(match.group(1))
