"""Cross-origin access: which other origins may read responses. None, by default."""

from collections.abc import Mapping

from chalicelib.bootstrap import container

REQUEST_HEADERS = (
    "Authorization, Content-Type, Idempotency-Key, If-Match, X-Request-Id, X-Tenant-Id, traceparent"
)
EXPOSED_HEADERS = "ETag, Idempotent-Replayed, Location, Retry-After, WWW-Authenticate, X-Request-Id"
MAX_AGE_SECONDS = 600


def headers(request: Mapping[str, str]) -> dict[str, str]:
    """Return the CORS headers of a response.

    Args:
        request: the request's headers, with names in lower case.
    """
    allowed = container().settings.http.cors_allowed_origins
    origin = request.get("origin", "")
    if not allowed:
        return {}
    if origin not in allowed:
        return {"Vary": "Origin"}
    return {
        "Vary": "Origin",
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": EXPOSED_HEADERS,
    }


def preflight(request: Mapping[str, str], methods: str) -> dict[str, str]:
    """Return the further headers of the response to a preflight request.

    Args:
        request: the request's headers, with names in lower case.
        methods: the methods that the path supports, separated by commas.
    """
    if "Access-Control-Allow-Origin" not in headers(request):
        return {}
    return {
        "Access-Control-Allow-Methods": methods,
        "Access-Control-Allow-Headers": REQUEST_HEADERS,
        "Access-Control-Max-Age": str(MAX_AGE_SECONDS),
    }
