"""What a path answers to the methods that it does not have: OPTIONS names the ones it has, the rest are 405.

API Gateway itself answers every unknown method with one text for all, so each is a route of
its own.
"""

from chalice.app import Chalice

from chalicelib.entrypoints import cors
from chalicelib.entrypoints.access import PUBLIC
from chalicelib.entrypoints.answer import Answer
from chalicelib.entrypoints.call import Call
from chalicelib.entrypoints.endpoint import endpoint
from chalicelib.shared.errors import MethodNotAllowed

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
FILLED_IN = ("preflight", "refuse_method")
"""The views that stand where the API has no operation."""


def fill_in(app: Chalice) -> None:
    """Give every path of `app` an answer to every method."""
    for path, methods in [(path, frozenset(entries)) for path, entries in app.routes.items()]:
        offered = ", ".join(sorted(methods | {"OPTIONS"}))

        @endpoint(app, rule=PUBLIC)
        def preflight(call: Call, offered: str = offered) -> Answer:
            """Tell which methods there are, and what other origins may send."""
            return Answer(
                status=204,
                headers={"Allow": offered, **cors.preflight(call.headers, offered)},
            )

        @endpoint(app, rule=PUBLIC)
        def refuse_method(call: Call, offered: str = offered) -> Answer:
            """Refuse a method that the path does not have."""
            raise MethodNotAllowed(
                f"{call.request.method} is not offered here; {offered} are.",
                headers={"Allow": offered},
            )

        app.route(path, methods=["OPTIONS"], content_types=[])(preflight)
        app.route(path, methods=sorted(METHODS - methods - {"OPTIONS"}), content_types=[])(
            refuse_method
        )
