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
from chalicelib.entrypoints import access, conditional
from chalicelib.entrypoints.answer import Answer, problem_document
from chalicelib.entrypoints.call import Call
from chalicelib.entrypoints.idempotent import run_idempotent
from chalicelib.entrypoints.operation import OPERATIONS, Operation
from chalicelib.entrypoints.response import request_headers, respond
from chalicelib.entrypoints.size import fits
from chalicelib.outbox.envelope import TRACEPARENT
from chalicelib.shared.errors import AetherLinkError, AnswerTooLarge, Unauthenticated
from chalicelib.shared.ids import uuid7
from chalicelib.shared.preconditions import NO_PRECONDITION
from chalicelib.telemetry import logs, names
from chalicelib.telemetry.harmless import harmless

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
    headers = request_headers(request)
    request_id = headers.get("x-request-id", "")
    if not REQUEST_ID.fullmatch(request_id):
        request_id = str(uuid7())

    def run() -> Answer:
        applicable = rule or access.RULES.get((_method_of_rule(request.method), request.path))
        caller = access.admit(applicable, headers)
        call = Call(request, request_id, _traceparent(headers), caller, path_parameters, headers)
        answer = _answer(call, view, operation, path)
        if fits(answer.body):
            return answer
        raise AnswerTooLarge(
            "The answer is larger than the gateway can pass on. Ask for less: a smaller limit,"
            " or a narrower filter."
        )

    answer = _with_errors_mapped(run, request.method, path, request_id, headers)
    response = respond(request, headers, request_id, answer)
    seconds = container().clock.monotonic() - started
    _record(request, path, request_id, answer.status, seconds)
    return response


def _answer(call: Call, view: View, operation: Operation | None, path: str) -> Answer:
    """Return the answer of `view`, under the preconditions that the request states."""
    safe = call.request.method in conditional.SAFE_METHODS
    demand = NO_PRECONDITION
    if operation is not None and (safe or operation.if_match):
        demand = conditional.precondition(call.headers)
    if operation is not None and operation.idempotent:
        return run_idempotent(call, view, path, creates=operation.creates)
    answer = view(call)
    return conditional.evaluated(answer, demand) if safe else answer


def _method_of_rule(method: str) -> str:
    """Return the method whose rule applies: HEAD is as open as GET."""
    return "GET" if method == "HEAD" else method


def _with_errors_mapped(
    run: Callable[[], Answer],
    method: str,
    path: str,
    request_id: str,
    headers: Mapping[str, str],
) -> Answer:
    """Return the answer of `run`, or the problem document of the error that it raises."""
    try:
        return run()
    except AetherLinkError as problem:
        if isinstance(problem, Unauthenticated):
            problem.headers[access.CHALLENGE] = access.challenge(headers)
        answer = problem_document(problem, path, request_id)
        with harmless():
            access.note_refusal(problem, request_id=request_id, method=method, path=path)
        if answer.status >= 500:
            with harmless():
                logs.error(
                    names.REQUEST_FAILED,
                    request_id=request_id,
                    code=problem.code,
                    cause=problem.cause,
                )
        return answer
    except Exception:  # noqa: BLE001 - whatever is raised, the caller gets a problem document
        with harmless():
            logs.error(names.REQUEST_CRASHED, exc_info=True, request_id=request_id, path=path)
        unexpected = AetherLinkError(
            "An unexpected error occurred. The log has the details under the request id."
        )
        return problem_document(unexpected, path, request_id)


def _record(request: Request, path: str, request_id: str, status: int, seconds: float) -> None:
    """Count and log a finished request. Never fails: the answer has been made."""
    with harmless():
        route = str((request.context or {}).get("resourcePath") or "")
        container().telemetry.request_metrics.count(
            method=request.method, route=route, status=status, seconds=seconds
        )
    with harmless():
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
