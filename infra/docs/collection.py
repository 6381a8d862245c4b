"""The API as a Bruno collection (docs/requests): a file for each request, for people to send.

The files are plain text in Bruno's format (https://docs.usebruno.com/bru-lang/overview): a
folder for each tag, and an environment for the local stack.
"""

import json
from collections.abc import Mapping
from typing import Any

FOLDER = "docs/requests"
NAME = "AetherLink Command Center"
BODYLESS = "none"
TOKENS = {"bearer": "token", "webhook": "webhookToken"}
"""The variable that holds the credential of each security scheme; a token of an operator
serves where a scraper's does."""

LOCAL = """\
vars {
  baseUrl: http://127.0.0.1:8000
}
vars:secret [
  token,
  webhookToken
]
"""


def files(document: Mapping[str, Any]) -> dict[str, str]:
    """Return every file of the collection by its path, for an OpenAPI document."""
    manifest = {"version": "1", "name": NAME, "type": "collection"}
    result = {
        f"{FOLDER}/bruno.json": json.dumps(manifest, indent=2) + "\n",
        f"{FOLDER}/environments/local.bru": LOCAL,
    }
    sequence = 0
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            sequence += 1
            name = f"{FOLDER}/{operation['tags'][0]}/{operation['operationId']}.bru"
            result[name] = _request(path, method, operation, sequence)
    return result


def _request(path: str, method: str, operation: Mapping[str, Any], sequence: int) -> str:
    by_place: dict[str, list[Mapping[str, Any]]] = {"path": [], "query": [], "header": []}
    for parameter in operation["parameters"]:
        by_place[parameter["in"]].append(parameter)
    media_type, example = _body(operation)
    token = _token(operation)
    headers = [_entry(parameter) for parameter in by_place["header"]]
    if media_type:
        headers.insert(0, f"content-type: {media_type}")
    blocks = [
        _block("meta", [f"name: {operation['summary']}", "type: http", f"seq: {sequence}"]),
        _block(
            method,
            [
                f"url: {{{{baseUrl}}}}{path.replace('{', ':').replace('}', '')}",
                f"body: {'json' if media_type else BODYLESS}",
                f"auth: {'bearer' if token else BODYLESS}",
            ],
        ),
        _block("params:query", [_entry(parameter) for parameter in by_place["query"]]),
        _block("params:path", [_entry(parameter) for parameter in by_place["path"]]),
        _block("headers", headers),
        _block("auth:bearer", [f"token: {{{{{token}}}}}"] if token else []),
        _block("body:json", json.dumps(example, indent=2).splitlines() if media_type else []),
        _block("docs", operation["description"].splitlines()),
    ]
    return "\n".join(block for block in blocks if block)


def _block(name: str, lines: list[str]) -> str:
    """Return a block of a Bruno file; empty if it has no lines."""
    if not lines:
        return ""
    indented = "".join(f"  {line}".rstrip() + "\n" for line in lines)
    return f"{name} {{\n{indented}}}\n"


def _entry(parameter: Mapping[str, Any]) -> str:
    """Return the line of a parameter; an optional one is switched off (`~`)."""
    required = parameter.get("required") or parameter["in"] == "path"
    value = "*" if parameter["name"] == "If-Match" else str(parameter["schema"].get("default", ""))
    return f"{'' if required else '~'}{parameter['name']}: {value}".rstrip()


def _body(operation: Mapping[str, Any]) -> tuple[str, Any]:
    """Return the media type and the example of the request body; empty without a body."""
    content = operation.get("requestBody", {}).get("content", {})
    for media_type, body in content.items():
        return media_type, body["example"]
    return "", None


def _token(operation: Mapping[str, Any]) -> str:
    """Return the variable that holds the operation's credential; empty without a header."""
    schemes = [name for option in operation["security"] for name in option]
    return next((TOKENS[name] for name in schemes if name in TOKENS), "")
