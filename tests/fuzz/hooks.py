"""Hooks for what the fuzzer cannot know from the document. Schemathesis loads this module."""

import json
import os
import random
import re
import secrets
from pathlib import Path
from threading import Lock
from typing import Any

import schemathesis
from schemathesis import Case, HookContext, Response
from schemathesis.openapi.checks import RejectedPositiveData

from chalicelib.shared.text import (
    HIDDEN_BEYOND_CLASS,
    JOINERS_CLASS,
    SELECTORS_BEYOND_CLASS,
    SELECTORS_CLASS,
)
from infra.docs.openapi.parameters import ETAGS_SCHEMA

RECORD = "AETHERLINK_FUZZ_RECORD"
"""The environment variable with the file that records every response."""
KEY = re.compile(r"[\x21\x23-\x7e]{1,255}")
REPEATED_KEYS = 0.2
ETAGS = re.compile(ETAGS_SCHEMA["pattern"])
UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
CONTEXTUAL = re.compile(
    f"[{HIDDEN_BEYOND_CLASS}{JOINERS_CLASS}{SELECTORS_CLASS}{SELECTORS_BEYOND_CLASS}]"
)
_writing = Lock()


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """Make valid requests valid in what the document cannot state; repeat few idempotency keys.

    Only the API can make a valid cursor. A text must have characters that can be seen. A repeated
    key with another request is refused.
    """
    is_valid = bool(case.meta and case.meta.generation.mode.is_positive)
    if is_valid and isinstance(case.body, dict):
        case.body = visible(case.body)
    if is_valid and case.query:
        case.query.pop("cursor", None)
    key = case.headers.get("Idempotency-Key") if case.headers else None
    if key and KEY.fullmatch(key) and not (is_valid and random.random() < REPEATED_KEYS):
        case.headers["Idempotency-Key"] = secrets.token_hex(8)


def visible(value: Any) -> Any:
    """Return a JSON value with `x` for each character that may be invisible, by its context.

    Those are invisible characters beyond U+FFFF, joiners and variation selectors. The document's
    patterns exclude all others, and those must be refused or accepted as it says.
    """
    if isinstance(value, dict):
        return {name: visible(member) for name, member in value.items()}
    if isinstance(value, list):
        return [visible(member) for member in value]
    return CONTEXTUAL.sub("x", value) if isinstance(value, str) else value


@schemathesis.hook
def filter_failure(context: HookContext, failure: Any, case: Case[Any], response: Response) -> bool:
    """Ignore a refused request that the document's schema allows but its description does not."""
    if not isinstance(failure, RejectedPositiveData):
        return True
    headers: Any = case.headers or {}
    conditions = [headers[name] for name in ("If-Match", "If-None-Match") if name in headers]
    resource_id = case.path_parameters.get("id") if case.path_parameters else None
    if case.operation.path == "/ack" and isinstance(case.body, dict) and "duration" in case.body:
        return False  # at most 24 hours, which no pattern can state
    return all(ETAGS.fullmatch(text) for text in conditions) and (
        resource_id is None or bool(UUID.fullmatch(resource_id))
    )


@schemathesis.hook
def after_call(context: HookContext, case: Case[Any], response: Response) -> None:
    """Record the operation and status, and whether a function or only the gateway answered."""
    line = {
        "operation": case.operation.label,
        "status": response.status_code,
        "function": "x-request-id" in response.headers,
    }
    with _writing, Path(os.environ[RECORD]).open("a") as record:
        record.write(json.dumps(line) + "\n")
