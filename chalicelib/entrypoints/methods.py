"""The methods without an operation of their own: HEAD, OPTIONS, and those that get a 405.

HEAD is answered as GET is, without the body. OPTIONS lists what a path has.

API Gateway itself answers every unknown method with one fixed text, so each of them needs a
route.
"""

from collections.abc import Callable

from chalice.app import Chalice, Response

from chalicelib.entrypoints import cors
from chalicelib.entrypoints.access import PUBLIC
from chalicelib.entrypoints.answer import Answer
from chalicelib.entrypoints.call import Call
from chalicelib.entrypoints.endpoint import endpoint
from chalicelib.shared.errors import MethodNotAllowed

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
FILLED_IN = ("answer_head", "preflight", "refuse_method")
"""The views of the methods without an operation of their own."""
NOT_OPERATIONS = (*FILLED_IN, "docs_asset")
"""The views that are no operation of the API, and so are not in its OpenAPI document."""


def fill_in(app: Chalice) -> None:
    """Add a route to `app` for every method that a path does not have."""
    for path, entries in [(path, dict(entries)) for path, entries in app.routes.items()]:
        methods = frozenset(entries)
        if "GET" in entries:
            methods |= {"HEAD"}
            app.route(path, methods=["HEAD"], content_types=[])(_head(entries["GET"].view_function))
        offered = ", ".join(sorted(methods | {"OPTIONS"}))

        @endpoint(app, rule=PUBLIC)
        def preflight(call: Call, offered: str = offered) -> Answer:
            """Return the methods of the path, and what other origins may send."""
            headers = {"Allow": offered, **cors.preflight(call.headers, offered)}
            return Answer(status=204, headers=headers)

        @endpoint(app, rule=PUBLIC)
        def refuse_method(call: Call, offered: str = offered) -> Answer:
            """Refuse a method that the path does not have."""
            raise MethodNotAllowed(
                f"{call.request.method} is not supported here. Supported methods: {offered}.",
                headers={"Allow": offered},
            )

        others = sorted(METHODS - methods - {"OPTIONS"})
        app.route(path, methods=["OPTIONS"], content_types=[])(preflight)
        app.route(path, methods=others, content_types=[])(refuse_method)


def _head(view: Callable[..., Response]) -> Callable[..., Response]:
    """Return the view of HEAD where `view` answers GET; `respond` leaves the body out."""

    def answer_head(**path: str) -> Response:
        return view(**path)

    return answer_head
