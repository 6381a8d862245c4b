"""Which other origins' pages may read answers. None, unless CORS_ALLOWED_ORIGINS names them."""

from collections.abc import Mapping

from chalicelib.bootstrap import container

SENT = (
    "Authorization, Content-Type, Idempotency-Key, If-Match, X-Request-Id, X-Tenant-Id, traceparent"
)
READ = "ETag, Idempotent-Replayed, Location, Retry-After, WWW-Authenticate, X-Request-Id"
MAX_AGE_SECONDS = 600


def headers(request: Mapping[str, str]) -> dict[str, str]:
    """Return what lets the page that sent `request` (header names in lower case) read the answer."""
    allowed = container().settings.http.cors_allowed_origins
    origin = request.get("origin", "")
    if not allowed:
        return {}
    if origin not in allowed:
        return {"Vary": "Origin"}
    return {
        "Vary": "Origin",
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": READ,
    }


def preflight(request: Mapping[str, str], methods: str) -> dict[str, str]:
    """Return what tells the page's browser that it may send such a request."""
    if "Access-Control-Allow-Origin" not in headers(request):
        return {}
    return {
        "Access-Control-Allow-Methods": methods,
        "Access-Control-Allow-Headers": SENT,
        "Access-Control-Max-Age": str(MAX_AGE_SECONDS),
    }
