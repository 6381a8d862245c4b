"""Events as API Gateway makes them of HTTP requests, for the function itself."""

import base64
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from chalice.local import RouteMatcher

import app

LAMBDA_LIMIT = 6_291_556


def call(
    method: str,
    path: str,
    headers: Mapping[str, str | list[str]],
    body: bytes = b"",
    *,
    binary: bool = True,
) -> dict[str, Any]:
    """Return what the function answers to the gateway's event for this request.

    Args:
        method: the method.
        path: the path and the query.
        headers: the headers; a list stands for a header that is sent several times.
        body: the body.
        binary: the gateway passes the body on in Base64, not as text.
    """
    route = RouteMatcher(list(app.app.routes)).match_route(path)
    several = {
        name: value if isinstance(value, list) else [value] for name, value in headers.items()
    }
    text = base64.b64encode(body).decode() if binary else body.decode("utf-8", "replace")
    location, _, query = path.partition("?")
    event = {
        "resource": route.route,
        "path": location,
        "httpMethod": method,
        "headers": {name: values[-1] for name, values in several.items()},
        "multiValueHeaders": several,
        "multiValueQueryStringParameters": parse_qs(query, keep_blank_values=True) or None,
        "pathParameters": route.captured,
        "stageVariables": None,
        "requestContext": {
            "stage": "api",
            "path": f"/api{location}",
            "requestId": "d3f8e5a1",
            "resourcePath": route.route,
            "httpMethod": method,
        },
        "body": text if body else None,
        "isBase64Encoded": binary and bool(body),
    }
    answer = dict(app.app(event, None))
    assert len(json.dumps(answer)) <= LAMBDA_LIMIT
    return answer
