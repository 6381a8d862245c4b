"""The API's description of itself: its OpenAPI document, and a page that shows it.

`python -m infra.docs` generates the document; the page is Swagger UI, vendored in
`chalicelib/static/docs` (docs/decisions/0009-docs-viewer.md).
"""

import hashlib
import json
from functools import cache
from pathlib import Path

from chalice.app import Blueprint

from chalicelib.entrypoints.answer import Answer
from chalicelib.entrypoints.call import Call
from chalicelib.entrypoints.endpoint import endpoint
from chalicelib.entrypoints.links import link, public_url
from chalicelib.entrypoints.operation import Operation, Tag
from chalicelib.entrypoints.schemas import ANY_OBJECT, STRING, object_schema
from chalicelib.shared.errors import NotFound

STATIC = Path(__file__).resolve().parent.parent / "static"
DOCUMENT = object_schema(
    {"openapi": STRING, "info": ANY_OBJECT, "paths": ANY_OBJECT, "components": ANY_OBJECT}
)
PAGE = STATIC / "docs" / "index.html"
JAVASCRIPT = "text/javascript; charset=utf-8"
CSS = "text/css; charset=utf-8"
TEXT = "text/plain; charset=utf-8"
ASSETS = {
    "init.js": JAVASCRIPT,
    "reference.css": CSS,
    "swagger-ui-bundle.js": JAVASCRIPT,
    "swagger-ui-bundle.js.LICENSE.txt": TEXT,
    "swagger-ui.css": CSS,
    "LICENSE": TEXT,
    "NOTICE": TEXT,
}
"""The files that the page loads, and their licences, with their media types."""

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "form-action 'none'",
    )
)
"""What the page may load and call: the deployment that serves it, and nothing else."""

PAGE_CACHE = "public, max-age=300"
ASSET_CACHE = "public, max-age=3600"

routes = Blueprint(__name__)


@routes.route("/openapi.json", methods=["GET"])
@endpoint(
    routes,
    Operation(
        summary="Get this OpenAPI document",
        tag=Tag.SERVICE,
        response={**DOCUMENT, "additionalProperties": True},
        response_description="The OpenAPI 3.1 document.",
        response_headers=("ETag",),
        errors=(400, 412),
        cacheable=True,
    ),
)
def openapi(call: Call) -> Answer:
    """Return the OpenAPI document; its server is PUBLIC_URL or, without that, where it is."""
    document = _document(public_url())
    etag = f'"{hashlib.sha256(document).hexdigest()[:32]}"'
    return Answer(document, headers={"Cache-Control": PAGE_CACHE, "ETag": etag})


@routes.route("/docs", methods=["GET"])
@endpoint(
    routes,
    Operation(
        summary="Read this API's reference as a web page",
        tag=Tag.SERVICE,
        description=(
            "Swagger UI, which can also send requests. It loads nothing from other servers."
        ),
        response=STRING,
        response_description="The page.",
        media_type="text/html",
    ),
)
def docs(call: Call) -> Answer:
    """Return the page. Its links are relative to `/docs`, so that it works under any stage."""
    if str((call.request.context or {}).get("path") or "").endswith("/"):
        return Answer(status=308, headers={"Location": link(call, "/docs")})
    return Answer(
        PAGE.read_bytes(),
        headers={"Content-Security-Policy": POLICY, "Cache-Control": PAGE_CACHE},
        content_type="text/html; charset=utf-8",
    )


@routes.route("/docs/{file}", methods=["GET"])
@endpoint(routes)
def docs_asset(call: Call) -> Answer:
    """Return a file that the page loads. It is no operation of the API."""
    name = call.path["file"]
    if name not in ASSETS:
        raise NotFound("The reference has no such file.")
    return Answer(
        (PAGE.parent / name).read_bytes(),
        headers={"Cache-Control": ASSET_CACHE},
        content_type=ASSETS[name],
    )


@cache
def _document(server: str) -> bytes:
    """Return the document with the address `server`; as it was generated if that is empty."""
    generated = (STATIC / "openapi.json").read_bytes()
    if not server:
        return generated
    document = json.loads(generated)
    document["servers"] = [{"url": server}]
    return json.dumps(document, indent=1).encode()
