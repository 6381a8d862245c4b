"""The HTTP door: who calls, what they sent, and every answer in one shape.

`endpoint` surrounds each view. It lets in whom the table in `access` names, hands the view
a `Call`, and turns whatever comes of it into a response: a problem document (RFC 9457) for
every error, security headers and the request id on everything. Chalice makes a bare 500 of
an exception before any middleware sees it, so the mapping has to stand here.
"""

import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import Any
from uuid import UUID

from chalice.app import Blueprint, Chalice, Request, Response

from chalicelib.bootstrap import container
from chalicelib.entrypoints import access, cors
from chalicelib.idempotency.key import IdempotencyKey, hash_request, parse_key
from chalicelib.idempotency.ports import StoredAnswer
from chalicelib.outbox.envelope import TRACEPARENT
from chalicelib.security.identity import Principal
from chalicelib.shared.errors import (
    AetherLinkError,
    FieldError,
    Invalid,
    PreconditionRequired,
    TooLarge,
    UnsupportedMediaType,
)
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
PROBLEM_TYPE = "https://aetherlink.dev/problems/"
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,128}")
ETAG = re.compile(r'"(\d{1,9})"')
JSON_TYPES = ("application/json",)
PATCH_TYPES = ("application/merge-patch+json", "application/json")
LONGEST_INSTANCE = 2_048
CONTENT_TYPE = "Content-Type"
LEASE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Call:
    """One request, as a view needs it. `principal` is there unless the route is public."""

    request: Request
    request_id: str
    traceparent: str
    caller: Principal | None
    path: Mapping[str, str]
    headers: Mapping[str, str]
    once: IdempotencyKey | None = None

    @property
    def principal(self) -> Principal:
        """Return who calls."""
        if self.caller is None:
            raise RuntimeError("a public endpoint has no principal")
        return self.caller

    @property
    def query(self) -> Mapping[str, str]:
        """Return the query parameters; of a repeated one, the last."""
        return self.request.query_params or {}

    @property
    def base_path(self) -> str:
        """Return what the gateway puts before the path, e.g. `/api`; links need it."""
        stage = str((self.request.context or {}).get("stage") or "")
        full = str((self.request.context or {}).get("path") or "")
        return f"/{stage}" if stage and full.startswith(f"/{stage}/") else ""

    @property
    def seconds_left(self) -> float:
        """Return how long this request may still take."""
        context = self.request.lambda_context
        return float(context.get_remaining_time_in_millis() / 1_000) if context else LEASE_SECONDS

    def body(self, types: tuple[str, ...] = JSON_TYPES, *, most: int | None = None) -> bytes:
        """Return the request body, of at most `most` bytes (usually what the settings say).

        Raises:
            errors.UnsupportedMediaType: it is none of `types`.
            errors.TooLarge: it is over the size cap.
        """
        stated = self.headers.get("content-type", types[0]).partition(";")[0].strip().lower()
        if stated not in types:
            raise UnsupportedMediaType(
                f"Send {' or '.join(types)}, not {stated[:100] or 'nothing'}."
            )
        raw = self.request.raw_body
        body = raw if isinstance(raw, bytes) else str(raw).encode()
        largest = container().settings.http.max_body_bytes if most is None else most
        if len(body) > largest:
            raise TooLarge(f"The body has {len(body)} bytes; at most {largest} are taken.")
        return body

    @property
    def id(self) -> UUID:
        """Return the id that the path names.

        Raises:
            errors.Invalid: it is no UUID.
        """
        text = self.path["id"]
        try:
            if len(text) != len(str(UUID(text))):
                raise ValueError
            return UUID(text)
        except ValueError:
            reason = "must be a UUID such as 0197a3c0-5f3e-7cc4-9d0a-2b8b6f0f1e11"
            raise Invalid(
                f"id {reason}.", code="bad-id", errors=[FieldError("id", reason)]
            ) from None

    def expected_version(self, *, required: bool = False) -> int | None:
        """Return the version that `If-Match` names, or None for any.

        Raises:
            errors.PreconditionRequired: `required`, and there is no `If-Match`.
            errors.Invalid: it is not an ETag of this API.
        """
        stated = self.headers.get("if-match")
        if stated is None and required:
            raise PreconditionRequired(
                'Send If-Match with the ETag that you read, e.g. If-Match: "3".'
            )
        if stated is None or stated.strip() == "*":
            return None
        match = ETAG.fullmatch(stated.strip().removeprefix("W/"))
        if match is None:
            reason = 'must be one ETag of this resource, e.g. "3", or *'
            raise Invalid(
                f"If-Match {reason}.",
                code="bad-etag",
                errors=[FieldError("If-Match", reason)],
            )
        return int(match.group(1))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a view answers: `body` is JSON, ready to send."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"

    def stored(self) -> StoredAnswer:
        """Return the answer as it is kept for the next request with the same key."""
        return StoredAnswer(
            self.status, self.body, {**self.headers, CONTENT_TYPE: self.content_type}
        )


View = Callable[[Call], Answer]


def endpoint(
    door: Blueprint | Chalice,
    *,
    rule: access.Rule | None = None,
    once: bool = False,
    creates: bool = False,
) -> Callable[[View], Callable[..., Response]]:
    """Make a Chalice view of a function from `Call` to `Answer`.

    Args:
        door: the app or blueprint whose request it is.
        rule: who may call it; None means whom `access.RULES` names for the route.
        once: an `Idempotency-Key` is honoured: the view notes its answer in the ledger.
        creates: the setting IDEMPOTENCY_REQUIRED makes the key a must.
    """

    def decorate(view: View) -> Callable[..., Response]:
        @wraps(view)
        def guarded(**path: str) -> Response:
            return _respond(door.current_request, path, rule, view, once=once, creates=creates)

        del guarded.__wrapped__  # Chalice reads the signature: path parameters by name
        return guarded

    return decorate


def _respond(
    request: Request,
    path: Mapping[str, str],
    rule: access.Rule | None,
    view: View,
    *,
    once: bool,
    creates: bool,
) -> Response:
    started = container().clock.monotonic()
    where = str((request.context or {}).get("path") or request.path)
    headers = {name.lower(): value for name, value in (request.headers or {}).items()}
    request_id = headers.get("x-request-id", "")
    if not REQUEST_ID.fullmatch(request_id):
        request_id = str(uuid7())
    try:
        caller = access.admit(rule or access.RULES.get((request.method, request.path)), headers)
        call = Call(request, request_id, _trace(headers), caller, path, headers)
        answer = _once(call, view, where, creates=creates) if once else view(call)
    except AetherLinkError as problem:
        answer = problem_document(problem, where, request_id)
        access.note_refusal(problem, request_id=request_id, method=request.method, path=where)
        if answer.status >= 500:
            logs.error(
                names.REQUEST_FAILED,
                request_id=request_id,
                code=problem.code,
                cause=problem.cause,
            )
    except Exception:
        logs.error(names.REQUEST_CRASHED, exc_info=True, request_id=request_id, path=where)
        answer = problem_document(
            AetherLinkError(
                "Something went wrong on our side. The log has it under the request id."
            ),
            where,
            request_id,
        )
    seconds = container().clock.monotonic() - started
    route = str((request.context or {}).get("resourcePath") or "")
    container().telemetry.request_metrics.count(
        method=request.method, route=route, status=answer.status, seconds=seconds
    )
    logs.info(
        names.REQUEST_FINISHED,
        request_id=request_id,
        method=request.method,
        path=where,
        status=answer.status,
        milliseconds=round(seconds * 1_000, 1),
    )
    fixed = {"Content-Type": answer.content_type, "X-Request-Id": request_id}
    return Response(
        body=answer.body.decode(),
        status_code=answer.status,
        headers={**SECURITY_HEADERS, **fixed, **cors.headers(headers), **answer.headers},
    )


def _once(call: Call, view: View, where: str, *, creates: bool) -> Answer:
    """Run `view` once for its `Idempotency-Key`, or give its answer again; just run it where there is no key."""
    header = call.headers.get("idempotency-key")
    if header is None:
        if creates and container().settings.idempotency.required:
            raise Invalid(
                "Send an Idempotency-Key, so that this can be repeated safely.",
                code="idempotency-key-missing",
            )
        return view(call)
    raw = call.request.raw_body
    body = raw if isinstance(raw, bytes) else str(raw).encode()
    key = IdempotencyKey(
        tenant_id=call.principal.tenant_id,
        endpoint=f"{call.request.method} {call.request.path}",
        key=parse_key(header),
        request_hash=hash_request(where, call.query, body),
    )
    seconds = call.seconds_left
    stored, again = container().idempotency.runner.run(
        key, lambda: view(replace(call, once=key)).stored(), lease_seconds=seconds
    )
    kept = {name: value for name, value in stored.headers.items() if name != CONTENT_TYPE}
    marked = {**kept, "Idempotent-Replayed": "true"} if again else kept
    return Answer(stored.body, stored.status, marked, stored.headers[CONTENT_TYPE])


def _trace(headers: Mapping[str, str]) -> str:
    stated = headers.get("traceparent", "")
    return (
        stated
        if TRACEPARENT.fullmatch(stated)
        else f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00"
    )


def problem_document(problem: AetherLinkError, path: str, request_id: str) -> Answer:
    """Return `problem` as RFC 9457 has it."""
    members = {
        "type": PROBLEM_TYPE + problem.code,
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "instance": path[:LONGEST_INSTANCE],
        "code": problem.code,
        "requestId": request_id,
        "errors": [{"field": error.field, "message": error.message} for error in problem.errors],
        **problem.extra,
    }
    return Answer(
        body=json.dumps(members).encode(),
        status=problem.status,
        headers=problem.headers,
        content_type="application/problem+json",
    )


def json_answer(
    value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Answer:
    """Return `value` as JSON."""
    return Answer(json.dumps(value).encode(), status, headers or {})
