"""The family of errors that callers may see. Rooms raise them; the HTTP door alone turns them into answers.

Each class fixes the HTTP status and the stable `code` of its problem document (RFC 9457).
The message says what is wrong and what to do, and never holds a secret.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with one field; `field` is a path such as `email` or `items.0.name`."""

    field: str
    message: str


class AetherLinkError(Exception):
    """Anything that went wrong in a way the caller can be told about."""

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
        """Hold what the problem document needs; `extra` become its extension members, `cause` is for the log alone."""
        super().__init__(detail)
        self.detail = detail
        self.code = code or type(self).code
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.cause = cause
        self.extra = extra


class Invalid(AetherLinkError):
    """The request cannot be understood as it stands."""

    status = 400
    code = "invalid-request"
    title = "Invalid request"


class Unauthenticated(AetherLinkError):
    """The caller did not prove who they are."""

    status = 401
    code = "unauthenticated"
    title = "Authentication required"


class Forbidden(AetherLinkError):
    """The caller is known and may not do this."""

    status = 403
    code = "forbidden"
    title = "Not allowed"


class BadLink(AetherLinkError):
    """A signed link does not hold."""

    status = 403
    code = "bad-link"
    title = "Invalid link"


class LinkExpired(BadLink):
    """A signed link held once."""

    status = 410
    code = "link-expired"
    title = "Link expired"


class NotFound(AetherLinkError):
    """There is no such thing, or it belongs to another tenant."""

    status = 404
    code = "not-found"
    title = "Not found"


class MethodNotAllowed(AetherLinkError):
    """The path exists, the method does not."""

    status = 405
    code = "method-not-allowed"
    title = "Method not allowed"


class Conflict(AetherLinkError):
    """The request is fine, and the present state does not allow it."""

    status = 409
    code = "conflict"
    title = "Conflict"


class PreconditionFailed(AetherLinkError):
    """`If-Match` names a version that is no longer the present one."""

    status = 412
    code = "stale-version"
    title = "Stale version"


class TooLarge(AetherLinkError):
    """The body is over the size cap."""

    status = 413
    code = "payload-too-large"
    title = "Payload too large"


class UnsupportedMediaType(AetherLinkError):
    """The body is of a type this endpoint does not read."""

    status = 415
    code = "unsupported-media-type"
    title = "Unsupported media type"


class Unprocessable(AetherLinkError):
    """The request is well formed and breaks a rule."""

    status = 422
    code = "unprocessable"
    title = "Unprocessable request"


class PreconditionRequired(AetherLinkError):
    """A change needs `If-Match`, so that nobody overwrites what they have not seen."""

    status = 428
    code = "precondition-required"
    title = "If-Match required"


class RateLimited(AetherLinkError):
    """The tenant sends more than its share."""

    status = 429
    code = "rate-limited"
    title = "Too many requests"


class Unavailable(AetherLinkError):
    """Something this request needs is down or too slow; the same request may succeed soon."""

    status = 503
    code = "unavailable"
    title = "Temporarily unavailable"


class BadGateway(AetherLinkError):
    """A service behind this one is down, or answers what makes no sense."""

    status = 502
    code = "bad-gateway"
    title = "Upstream service unavailable"


class Misconfigured(AetherLinkError):
    """A setting is missing or cannot be what it is. Callers are told that much; the log says which."""

    status = 500
    code = "misconfigured"
    title = "Service misconfigured"

    def __init__(self, detail: str) -> None:
        """Keep `detail` for whoever runs the service."""
        super().__init__(
            "The service is not configured correctly. Its log has the details.", cause=detail
        )

    def __str__(self) -> str:
        """Return what is wrong."""
        return self.cause
