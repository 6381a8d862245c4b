"""The decorator around every view: access, errors, idempotency, metrics, logs and headers.

It authorizes the caller as `access.RULES` says, passes a `Call` to the view, and turns the
outcome into a response: a problem document for every error, security headers and the
request id on everything. Chalice turns an exception into a bare 500 before any middleware
sees it, so errors have to be mapped here.
"""

import re
import secrets
from collections.abc import Callable, Mapping
from functools import wraps

from chalice.app import Blueprint, Chalice, Request, Response

from chalicelib.bootstrap import container
from chalicelib.entrypoints import access, cors
from chalicelib.entrypoints.answer import CONTENT_TYPE, Answer, problem_document
from chalicelib.entrypoints.call import Call
from chalicelib.entrypoints.idempotent import run_idempotent
from chalicelib.entrypoints.operation import OPERATIONS, Operation
from chalicelib.outbox.envelope import TRACEPARENT
from chalicelib.shared.errors import AetherLinkError
from chalicelib.shared.ids import uuid7
from chalicelib.telemetry import logs, names

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,128}")

View = Callable[[Call], Answer]


def endpoint(
    app: Blueprint | Chalice,
    operation: Operation | None = None,
    *,
    rule: access.Rule | None = None,
) -> Callable[[View], Callable[..., Response]]:
    """Return a decorator that turns a function from `Call` to `Answer` into a Chalice view.

    Args:
        app: the app or blueprint that holds the current request.
        operation: the contract of the endpoint. None for the views that stand in for
            methods which the API does not offer.
        rule: who may call it; None means the rule that `access.RULES` has for the route.
    """

    def decorate(view: View) -> Callable[..., Response]:
        if operation is not None:
            OPERATIONS[view.__name__] = operation

        @wraps(view)
        def guarded(**path: str) -> Response:
            return _respond(app.current_request, path, rule, view, operation)

        del guarded.__wrapped__  # Chalice reads the signature: path parameters by name
        return guarded

    return decorate


def _respond(
    request: Request,
    path_parameters: Mapping[str, str],
    rule: access.Rule | None,
    view: View,
    operation: Operation | None,
) -> Response:
    started = container().clock.monotonic()
    path = str((request.context or {}).get("path") or request.path)
    headers = {name.lower(): value for name, value in (request.headers or {}).items()}
    request_id = headers.get("x-request-id", "")
    if not REQUEST_ID.fullmatch(request_id):
        request_id = str(uuid7())

    def run() -> Answer:
        applicable = rule or access.RULES.get((request.method, request.path))
        caller = access.admit(applicable, headers)
        call = Call(request, request_id, _traceparent(headers), caller, path_parameters, headers)
        if operation is not None and operation.idempotent:
            return run_idempotent(call, view, path, creates=operation.creates)
        return view(call)

    answer = _with_errors_mapped(run, request.method, path, request_id)
    seconds = container().clock.monotonic() - started
    _record(request, path, request_id, answer.status, seconds)
    response_headers = {
        **SECURITY_HEADERS,
        CONTENT_TYPE: answer.content_type,
        "X-Request-Id": request_id,
        **cors.headers(headers),
        **answer.headers,
    }
    return Response(body=answer.body.decode(), status_code=answer.status, headers=response_headers)


def _with_errors_mapped(
    run: Callable[[], Answer], method: str, path: str, request_id: str
) -> Answer:
    """Return the answer of `run`, or the problem document of the error that it raises."""
    try:
        return run()
    except AetherLinkError as problem:
        answer = problem_document(problem, path, request_id)
        access.note_refusal(problem, request_id=request_id, method=method, path=path)
        if answer.status >= 500:
            logs.error(
                names.REQUEST_FAILED,
                request_id=request_id,
                code=problem.code,
                cause=problem.cause,
            )
        return answer
    except Exception:  # noqa: BLE001 - whatever is raised, the caller gets a problem document
        logs.error(names.REQUEST_CRASHED, exc_info=True, request_id=request_id, path=path)
        unexpected = AetherLinkError(
            "An unexpected error occurred. The log has the details under the request id."
        )
        return problem_document(unexpected, path, request_id)


def _record(request: Request, path: str, request_id: str, status: int, seconds: float) -> None:
    """Count and log a finished request."""
    route = str((request.context or {}).get("resourcePath") or "")
    container().telemetry.request_metrics.count(
        method=request.method, route=route, status=status, seconds=seconds
    )
    logs.info(
        names.REQUEST_FINISHED,
        request_id=request_id,
        method=request.method,
        path=path,
        status=status,
        milliseconds=round(seconds * 1_000, 1),
    )


def _traceparent(headers: Mapping[str, str]) -> str:
    """Return the caller's W3C trace context, or a new one that is not sampled."""
    header = headers.get("traceparent", "")
    if TRACEPARENT.fullmatch(header):
        return header
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00"
