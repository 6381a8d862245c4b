"""The OpenAPI document is valid, complete, and compatible with the published operation."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

import app
from chalicelib.entrypoints.methods import NOT_OPERATIONS
from infra.docs.openapi.document import document, operations
from infra.paths import ROOT

NEW = document()
OLD = json.loads((ROOT / "tests" / "unit" / "published" / "openapi.json").read_text())
"""The published document. Replace it only with a new major version."""


def _operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield the path, the method and the contract of each operation."""
    for path, methods in NEW["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _members(schema: dict[str, Any]) -> set[str]:
    """Return the members that a schema names, through references."""
    if "$ref" in schema:
        return _members(NEW["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    parts = [_members(part) for part in schema.get("allOf", ())]
    return set(schema.get("properties", ())).union(*parts)


def test_the_document_is_valid() -> None:
    OpenAPIV31SpecValidator(NEW).validate()


def test_the_document_has_exactly_the_routes_of_the_app() -> None:
    routes = {
        (path, method.lower())
        for path, methods in app.app.routes.items()
        for method, entry in methods.items()
        if entry.view_function.__name__ not in NOT_OPERATIONS
    }
    assert {
        (path, method) for path, methods in NEW["paths"].items() for method in methods
    } == routes
    assert {
        operation["operationId"]
        for methods in NEW["paths"].values()
        for operation in methods.values()
    } == set(operations())


def test_every_error_is_a_problem_document() -> None:
    for methods in NEW["paths"].values():
        for operation in methods.values():
            for status, answer in operation["responses"].items():
                if status >= "400" and operation["operationId"] != "ready":
                    assert list(answer["content"]) == ["application/problem+json"], operation[
                        "operationId"
                    ]


def test_every_operation_but_the_public_ones_requires_credentials() -> None:
    public = {
        operation["operationId"]
        for m in NEW["paths"].values()
        for operation in m.values()
        if not operation["security"]
    }
    assert public == {"home", "live", "ready", "openapi", "docs"}
    for operation in (
        operation for methods in NEW["paths"].values() for operation in methods.values()
    ):
        assert bool(operation["security"]) == ({"401", "403"} <= set(operation["responses"]))
        assert bool(operation.get("x-roles")) == (operation["security"] == [{"bearer": []}])


def test_every_successful_json_answer_has_a_schema_that_names_its_members() -> None:
    for path, method, operation in _operations():
        for status, response in operation["responses"].items():
            media_type = response.get("content", {}).get("application/json")
            if status.startswith("2") and status != "204":
                assert response["content"], f"{method} {path} {status} has no body"
            if media_type:
                assert _members(media_type["schema"]), f"{method} {path} {status}"


def test_every_example_is_valid_by_its_schema() -> None:
    examples = 0
    for _, _, operation in _operations():
        bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
        for media_type in (m for body in bodies for m in body.get("content", {}).values()):
            if "example" in media_type:
                schema = {**media_type["schema"], "components": NEW["components"]}
                Draft202012Validator(schema).validate(media_type["example"])
                examples += 1
    assert examples > 10


def test_every_description_states_who_may_call() -> None:
    for path, method, operation in _operations():
        text = operation["description"]
        for role in operation.get("x-roles", ()):
            assert f"`{role}`" in text.rpartition("Role: ")[2], f"{method} {path}"
        if not operation["security"]:
            assert "Public" in text, f"{method} {path}"
        for scheme in (name for option in operation["security"] for name in option):
            assert "x-roles" in operation or f"`{scheme}`" in text, f"{method} {path}"


def test_titles_are_plain_text_and_every_tag_is_described() -> None:
    used = {tag for _, _, operation in _operations() for tag in operation["tags"]}
    assert used == {tag["name"] for tag in NEW["tags"] if tag["description"]}
    assert not [title for _, _, o in _operations() if "`" in (title := o["summary"])]


@pytest.mark.parametrize("path", sorted(OLD["paths"]))
def test_clients_of_the_published_document_still_work(path: str) -> None:
    for method, old in OLD["paths"][path].items():
        new = NEW["paths"].get(path, {}).get(method)
        assert new, f"{method} {path} is gone"
        needed = {operation["name"] for operation in new["parameters"] if operation.get("required")}
        assert needed <= {
            operation["name"] for operation in old["parameters"] if operation.get("required")
        }, "a new required parameter"
        assert {operation["name"] for operation in old["parameters"]} <= {
            operation["name"] for operation in new["parameters"]
        }
        assert set(old["responses"]) - {"default"} <= set(new["responses"])


@pytest.mark.parametrize("name", sorted(OLD["components"]["schemas"]))
def test_the_published_schemas_keep_their_promises(name: str) -> None:
    old = OLD["components"]["schemas"][name]
    new = NEW["components"]["schemas"].get(name)
    assert new, f"{name} is gone"
    if "enum" in old:
        assert set(old["enum"]) <= set(new["enum"])
        return
    assert set(old["properties"]) <= set(new["properties"])
    if name.startswith(("Create", "Change", "Move", "ReplayRequest")):
        assert set(new.get("required", ())) <= set(old.get("required", ())), "a new required field"
    else:
        assert set(old.get("required", ())) <= set(new.get("required", ())), (
            "a promised field is no longer required"
        )
    for field, before in old["properties"].items():
        assert _kinds(before) & _kinds(new["properties"][field]), f"{name}.{field} has another type"


def _kinds(schema: dict[str, Any]) -> set[str]:
    return {
        str(operation.get("type") or operation.get("$ref") or "any")
        for operation in schema.get("anyOf", [schema])
    }
