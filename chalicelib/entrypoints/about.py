"""The API about itself: its OpenAPI document and a page to read. Both are made at build time."""

import hashlib
from base64 import b64encode
from functools import cache
from pathlib import Path

from chalice.app import Blueprint

from chalicelib.entrypoints.answer import Answer
from chalicelib.entrypoints.call import Call
from chalicelib.entrypoints.endpoint import endpoint

STATIC = Path(__file__).resolve().parent.parent / "static"

routes = Blueprint(__name__)


@routes.route("/openapi.json", methods=["GET"])
@endpoint(routes)
def openapi(call: Call) -> Answer:
    """Tell what this API takes and gives, as OpenAPI 3.1."""
    return Answer(
        (STATIC / "openapi.json").read_bytes(),
        headers={"Cache-Control": "public, max-age=300"},
    )


@routes.route("/docs", methods=["GET"])
@endpoint(routes)
def docs(call: Call) -> Answer:
    """Show the same as a page; it loads nothing from anywhere."""
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
    """Return the page, and the hash of its style sheet that the browser is to allow."""
    text = (STATIC / "docs.html").read_text()
    style = text.partition("<style>")[2].partition("</style>")[0]
    return text.encode(), b64encode(hashlib.sha256(style.encode()).digest()).decode()
