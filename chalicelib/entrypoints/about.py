"""The API's description of itself: its OpenAPI document, and the same as a page.

Both are files that the build generates.
"""

import hashlib
from base64 import b64encode
from functools import cache
from pathlib import Path

from chalice.app import Blueprint

from chalicelib.entrypoints.answer import Answer
from chalicelib.entrypoints.call import Call
from chalicelib.entrypoints.endpoint import endpoint
from chalicelib.entrypoints.operation import Operation, Tag
from chalicelib.entrypoints.schemas import STRING

STATIC = Path(__file__).resolve().parent.parent / "static"

routes = Blueprint(__name__)


@routes.route("/openapi.json", methods=["GET"])
@endpoint(
    routes,
    Operation(
        summary="Get this OpenAPI document",
        tag=Tag.SERVICE,
        response={"type": "object"},
        response_description="The OpenAPI 3.1 document.",
    ),
)
def openapi(call: Call) -> Answer:
    """Return the OpenAPI document."""
    return Answer(
        (STATIC / "openapi.json").read_bytes(),
        headers={"Cache-Control": "public, max-age=300"},
    )


@routes.route("/docs", methods=["GET"])
@endpoint(
    routes,
    Operation(
        summary="Read this API's reference as a web page",
        tag=Tag.SERVICE,
        description="The page needs no network access beyond itself.",
        response=STRING,
        response_description="The page.",
        media_type="text/html",
    ),
)
def docs(call: Call) -> Answer:
    """Return the reference as a page, with a policy that allows its own style sheet only."""
    page, style = _page()
    policy = (
        f"default-src 'none'; style-src 'sha256-{style}'; frame-ancestors 'none'; base-uri 'none'"
    )
    return Answer(
        page,
        headers={"Content-Security-Policy": policy},
        content_type="text/html; charset=utf-8",
    )


@cache
def _page() -> tuple[bytes, str]:
    """Return the page, and the SHA-256 of its style sheet in Base64."""
    text = (STATIC / "docs.html").read_text()
    style = text.partition("<style>")[2].partition("</style>")[0]
    return text.encode(), b64encode(hashlib.sha256(style.encode()).digest()).decode()
