"""One HTTP request, as a view sees it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from chalice.app import Request

from chalicelib.bootstrap import container
from chalicelib.entrypoints import conditional
from chalicelib.entrypoints.media_type import parse
from chalicelib.idempotency.key import IdempotencyKey
from chalicelib.security.identity import Principal
from chalicelib.shared.errors import (
    FieldError,
    Invalid,
    PreconditionRequired,
    TooLarge,
    UnsupportedMediaType,
)
from chalicelib.shared.preconditions import Precondition

JSON_TYPES = ("application/json",)
PATCH_TYPES = ("application/merge-patch+json", "application/json")
UTF_8 = frozenset({"utf-8", "utf8"})
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
    def query_values(self) -> Mapping[str, Sequence[str]]:
        """Return every value of each query parameter, in the order of the request."""
        parameters = self.request.query_params
        if parameters is None:
            return {}
        return {name: tuple(parameters.getlist(name)) for name in parameters}

    @property
    def raw_body(self) -> bytes:
        """Return the request body, as it was sent, without any check of its type or size.

        Raises:
            errors.Invalid: the gateway's encoding of the body is broken.
        """
        try:
            body = self.request.raw_body
        except ValueError:
            raise Invalid("The body cannot be read.", code="invalid-body") from None
        return body if isinstance(body, bytes) else str(body).encode("utf-8", "surrogatepass")

    def require_type(self, types: tuple[str, ...] = JSON_TYPES) -> None:
        """Check the Content-Type; without one, the body is read as the first of `types`.

        Raises:
            errors.UnsupportedMediaType: it is none of `types`, or its charset is not UTF-8.
        """
        header = self.headers.get("content-type", types[0])
        expected = " or ".join(types)
        try:
            media_type = parse(header)
        except ValueError:
            raise UnsupportedMediaType(
                f"The Content-Type must be {expected}; this one is malformed."
            ) from None
        if media_type.name not in types:
            name = media_type.name[:100]
            raise UnsupportedMediaType(f"The Content-Type must be {expected}, not {name}.")
        if media_type.charset not in UTF_8:
            raise UnsupportedMediaType(
                f"The charset must be UTF-8, not {media_type.charset[:40] or 'empty'}."
            )

    def body(self, types: tuple[str, ...] = JSON_TYPES, *, max_bytes: int | None = None) -> bytes:
        """Return the request body, of at most `max_bytes` (by default, MAX_BODY_BYTES).

        Raises:
            errors.UnsupportedMediaType: as `require_type`.
            errors.TooLarge: the body is longer than the limit.
        """
        self.require_type(types)
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

    def precondition(self, *, required: bool = False) -> Precondition:
        """Return what `If-Match` and `If-None-Match` demand of the resource's version.

        Raises:
            errors.PreconditionRequired: `required`, and there is no `If-Match`.
            errors.Invalid: one of them is not a list of ETags.
        """
        demand = conditional.precondition(self.headers)
        nothing_matches = demand.if_none_match is not None and demand.if_none_match.any
        if required and demand.if_match is None and not nothing_matches:
            raise PreconditionRequired(
                'Send If-Match with the ETag of the version that you read, e.g. If-Match: "3".'
            )
        return demand
