"""Links to the API: the one place that makes them.

With PUBLIC_URL, links are absolute. Without it they are relative references (RFC 3986,
section 4.2), which lead to the right place wherever the API is mounted: behind API Gateway's
stage, at a custom domain with or without a base path, or behind a proxy. The header `Host` is
never used: a caller could make it anything.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from chalicelib.bootstrap import container
from chalicelib.entrypoints.call import Call


def link(call: Call, path: str, query: Mapping[str, Any] | None = None, base: str = "") -> str:
    """Return a link for the answer to `call`.

    Args:
        call: the request that is answered; relative references start there.
        path: the path below the API's root, such as `/api/crm/jobs`.
        query: the parameters; names and values are encoded.
        base: the address of the API's root where it is not PUBLIC_URL.
    """
    base = base or public_url()
    address = base + path if base else _relative(call, path)
    return f"{address}?{urlencode(query)}" if query else address


def public_url() -> str:
    """Return the API's address for its callers without a slash at its end; empty where unknown."""
    return container().settings.http.public_url.rstrip("/")


def _relative(call: Call, path: str) -> str:
    """Return the reference from the request's address to `path`.

    The request's own steps are those of its route, so it does not matter what comes before
    them in the caller's address. Those that are parameters differ from any step.
    """
    steps = path.split("/")[1:]
    own = [step for step in call.request.path.split("/") if step]
    asked = str((call.request.context or {}).get("path") or call.request.path)
    folder = own if asked.endswith("/") else own[:-1]
    shared = 0
    while shared < min(len(folder), len(steps) - 1) and folder[shared] == steps[shared]:
        shared += 1
    rest = steps[shared:]
    if not own and not asked.endswith("/"):
        rest = [asked.rpartition("/")[2], *rest]  # the root, without its slash
    reference = "../" * (len(folder) - shared) + "/".join(rest)
    ambiguous = not reference or ":" in reference.partition("/")[0]
    return f"./{reference}" if ambiguous else reference
