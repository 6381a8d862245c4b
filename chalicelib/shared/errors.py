"""The errors that callers may see. Only the HTTP layer turns them into responses.

Each class fixes the HTTP status and the stable `code` of its problem document (RFC 9457).
The detail says what is wrong and what to do, and never contains a secret.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field. `field` is a path such as `email` or `items.0.name`."""

    field: str
    message: str


class AetherLinkError(Exception):
    """An error that may be reported to the caller."""

    status = 500
    code = "internal-error"
    title = "Internal error"

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        cause: str = "",
        **extra: object,
    ) -> None:
        """Hold what the problem document needs.

        Args:
            detail: what is wrong and what to do, for the caller.
            code: a stable code, instead of the class's own.
            errors: the fields that are not valid.
            headers: headers of the response.
            cause: the cause, for the log only.
            extra: extension members of the problem document.
        """
        super().__init__(detail)
        self.detail = detail
        self.code = code or type(self).code
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.cause = cause
        self.extra = extra


class Invalid(AetherLinkError):
    """The request is malformed."""

    status = 400
    code = "invalid-request"
    title = "Invalid request"


class Unauthenticated(AetherLinkError):
    """Missing or invalid credentials."""

    status = 401
    code = "unauthenticated"
    title = "Authentication required"


class Forbidden(AetherLinkError):
    """The caller is authenticated, and not allowed to do this."""

    status = 403
    code = "forbidden"
    title = "Not allowed"


class BadLink(AetherLinkError):
    """A signed link is not valid."""

    status = 403
    code = "bad-link"
    title = "Invalid link"


class LinkExpired(BadLink):
    """A signed link has expired."""

    status = 410
    code = "link-expired"
    title = "Link expired"


class NotFound(AetherLinkError):
    """It does not exist, or it belongs to another tenant."""

    status = 404
    code = "not-found"
    title = "Not found"


class MethodNotAllowed(AetherLinkError):
    """The path does not support the method."""

    status = 405
    code = "method-not-allowed"
    title = "Method not allowed"


class Conflict(AetherLinkError):
    """The current state does not allow the request."""

    status = 409
    code = "conflict"
    title = "Conflict"


class PreconditionFailed(AetherLinkError):
    """`If-Match` or `If-None-Match` excludes the current version."""

    status = 412
    code = "stale-version"
    title = "Stale version"


class TooLarge(AetherLinkError):
    """The request body is too large."""

    status = 413
    code = "payload-too-large"
    title = "Payload too large"


class UnsupportedMediaType(AetherLinkError):
    """The endpoint does not support the media type of the request body."""

    status = 415
    code = "unsupported-media-type"
    title = "Unsupported media type"


class Unprocessable(AetherLinkError):
    """The request is well formed but breaks a rule."""

    status = 422
    code = "unprocessable"
    title = "Unprocessable request"


class PreconditionRequired(AetherLinkError):
    """A change requires `If-Match`, so that it cannot overwrite an unread version."""

    status = 428
    code = "precondition-required"
    title = "If-Match required"


class RateLimited(AetherLinkError):
    """The tenant sends too many requests."""

    status = 429
    code = "rate-limited"
    title = "Too many requests"


class Unavailable(AetherLinkError):
    """A dependency is down or too slow. The same request may succeed soon."""

    status = 503
    code = "unavailable"
    title = "Temporarily unavailable"


class BadGateway(AetherLinkError):
    """An upstream service cannot be reached, or gave an unexpected response."""

    status = 502
    code = "bad-gateway"
    title = "Upstream service unavailable"


class AnswerTooLarge(AetherLinkError):
    """The answer is larger than the gateway can pass on."""

    status = 500
    code = "answer-too-large"
    title = "Answer too large"


class Misconfigured(AetherLinkError):
    """A setting is missing or not valid. Only the log says which one."""

    status = 500
    code = "misconfigured"
    title = "Service misconfigured"

    def __init__(self, detail: str) -> None:
        """Keep `detail` for the log."""
        super().__init__(
            "The service is not configured correctly. Its log has the details.", cause=detail
        )

    def __str__(self) -> str:
        """Return the detail."""
        return self.cause
