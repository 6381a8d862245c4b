"""What the fuzzer needs to know beyond the document; it loads this module itself."""

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

NOTED = "AETHERLINK_FUZZ_NOTED"
"""Names the file that every answer is noted in."""
KEY = re.compile(r"[\x21\x23-\x7e]{1,255}")
KEYS_AGAIN = 0.2
ETAG_OR_ANY = re.compile(r'"\d{1,9}"|\*')
UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_writing = Lock()


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """Leave out of good requests what only the API can have made, and send few keys twice, and none with nonsense."""
    good = bool(case.meta and case.meta.generation.mode.is_positive)
    if good and case.query:
        case.query.pop("cursor", None)
    key = case.headers.get("Idempotency-Key") if case.headers else None
    if key and KEY.fullmatch(key) and not (good and random.random() < KEYS_AGAIN):
        case.headers["Idempotency-Key"] = secrets.token_hex(8)


@schemathesis.hook
def filter_failure(context: HookContext, failure: Any, case: Case[Any], response: Response) -> bool:
    """Drop the claim that a request was valid where the document's own words say that it was not."""
    if not isinstance(failure, RejectedPositiveData):
        return True
    stated = case.headers.get("If-Match") if case.headers else None
    named = case.path_parameters.get("id") if case.path_parameters else None
    if case.operation.path == "/ack" and isinstance(case.body, dict) and "duration" in case.body:
        return False  # at most 24 hours, in words: no pattern adds up hours and minutes
    return (stated is None or bool(ETAG_OR_ANY.fullmatch(stated))) and (
        named is None or bool(UUID.fullmatch(named))
    )


@schemathesis.hook
def after_call(context: HookContext, case: Case[Any], response: Response) -> None:
    """Note which operation was answered how, and whether by a function or by the gateway alone."""
    line = {
        "operation": case.operation.label,
        "status": response.status_code,
        "function": "x-request-id" in response.headers,
    }
    with _writing, Path(os.environ[NOTED]).open("a") as noted:
        noted.write(json.dumps(line) + "\n")
