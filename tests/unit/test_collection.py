"""The Bruno collection: each operation of the OpenAPI document is one request that can be sent."""

import json
import re
from typing import Any

import pytest

from infra.docs.collection import FOLDER, files
from infra.docs.openapi.document import document
from infra.paths import ROOT

DOCUMENT = document()
OPERATIONS = {
    operation["operationId"]: (method, path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}
REQUESTS = {
    file.stem: file for file in (ROOT / FOLDER).rglob("*.bru") if file.parent.name != "environments"
}
BLOCK = re.compile(r"^([a-z:]+) \{\n(.*?)^\}$", re.MULTILINE | re.DOTALL)


def _parsed(text: str) -> dict[str, str]:
    """Return the blocks of a Bruno file by name; nothing may stand outside of them."""
    assert not BLOCK.sub("", text).strip(), "text outside of a block"
    blocks = BLOCK.findall(text)
    assert len(blocks) == len(dict(blocks)), "a block stands twice"
    return dict(blocks)


def _entries(block: str) -> dict[str, str]:
    pairs = (line.strip().partition(":") for line in block.splitlines())
    return {name: value.strip() for name, _, value in pairs}


def test_the_collection_has_exactly_the_operations_of_the_document() -> None:
    assert set(REQUESTS) == set(OPERATIONS)
    committed = {
        str(file.relative_to(ROOT)) for file in (ROOT / FOLDER).rglob("*") if file.is_file()
    }
    assert committed == set(files(DOCUMENT)), "a file is left from an operation that is gone"


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_a_request_has_the_method_path_body_and_credential_of_its_operation(name: str) -> None:
    method, path, operation = OPERATIONS[name]
    blocks = _parsed(REQUESTS[name].read_text())
    assert REQUESTS[name].parent.name == operation["tags"][0]
    assert _entries(blocks["meta"])["name"] == operation["summary"]
    request = _entries(blocks[method])
    assert request["url"] == "{{baseUrl}}" + re.sub(r"\{(\w+)\}", r":\1", path)
    assert request["body"] == ("json" if "requestBody" in operation else "none")
    assert set(_names(blocks, "params:path")) == set(re.findall(r"\{(\w+)\}", path))
    assert set(_names(blocks, "params:query")) == _parameters(operation, "query")
    assert set(_names(blocks, "headers")) - {"content-type"} == _parameters(operation, "header")
    if "requestBody" in operation:
        media_type, body = next(iter(operation["requestBody"]["content"].items()))
        assert json.loads(blocks["body:json"]) == body["example"]
        assert _entries(blocks["headers"])["content-type"] == media_type
    has_header = {"bearer", "webhook"} & {s for o in operation["security"] for s in o}
    assert request["auth"] == ("bearer" if has_header else "none")
    assert ("auth:bearer" in blocks) is bool(has_header)


def test_every_variable_is_declared_in_the_environment_of_the_local_stack() -> None:
    environment = (ROOT / FOLDER / "environments" / "local.bru").read_text()
    used = {
        variable
        for file in REQUESTS.values()
        for variable in re.findall(r"\{\{(\w+)\}\}", file.read_text())
    }
    assert used == {"baseUrl", "token", "webhookToken"}
    assert all(re.search(rf"^  {variable}\b", environment, re.MULTILINE) for variable in used)


def _names(blocks: dict[str, str], block: str) -> list[str]:
    return [name.lstrip("~") for name in _entries(blocks.get(block, ""))]


def _parameters(operation: dict[str, Any], place: str) -> set[str]:
    return {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == place}
