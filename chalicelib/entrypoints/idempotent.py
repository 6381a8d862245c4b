"""The `Idempotency-Key` header: run a view once for a key, and repeat its answer afterwards."""

from collections.abc import Callable
from dataclasses import replace

from chalicelib.bootstrap import container
from chalicelib.entrypoints.answer import CONTENT_TYPE, Answer
from chalicelib.entrypoints.call import Call
from chalicelib.idempotency.key import IdempotencyKey, hash_request, parse_key
from chalicelib.shared.errors import Invalid


def run_idempotent(
    call: Call, view: Callable[[Call], Answer], path: str, *, creates: bool
) -> Answer:
    """Return the answer of `view`, which runs once for each `Idempotency-Key`.

    Without a key the view just runs. An answer that was given before is marked with
    `Idempotent-Replayed: true`.

    Args:
        call: the request.
        view: the view, which stores its answer in the transaction of its work.
        path: the full request path, which is part of the request's hash.
        creates: the key is required if the setting IDEMPOTENCY_REQUIRED says so.

    Raises:
        errors.Invalid: the key is missing or malformed.
    """
    header = call.headers.get("idempotency-key")
    if header is None:
        if creates and container().settings.idempotency.required:
            raise Invalid(
                "Send an Idempotency-Key header, so that the request can be repeated safely.",
                code="idempotency-key-missing",
            )
        return view(call)
    key = IdempotencyKey(
        tenant_id=call.principal.tenant_id,
        endpoint=f"{call.request.method} {call.request.path}",
        key=parse_key(header),
        request_hash=hash_request(
            call.request.method, path, call.query_values, call.headers, call.raw_body
        ),
    )
    stored, replayed = container().idempotency.runner.run(
        key,
        lambda: view(replace(call, idempotency_key=key)).stored(),
        lease_seconds=call.seconds_left,
    )
    headers = {name: value for name, value in stored.headers.items() if name != CONTENT_TYPE}
    if replayed:
        headers["Idempotent-Replayed"] = "true"
    return Answer(stored.body, stored.status, headers, stored.headers[CONTENT_TYPE])
