"""The OpenAPI document is valid, complete, and compatible with the published operation."""

import json
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

import app
from chalicelib.entrypoints.methods import FILLED_IN
from infra.docs.openapi.document import document, operations
from infra.paths import ROOT

NEW = document()
OLD = json.loads((ROOT / "tests" / "unit" / "published" / "openapi.json").read_text())
"""The published document. Replace it only with a new major version."""


def test_the_document_is_valid() -> None:
    OpenAPIV31SpecValidator(NEW).validate()


def test_the_document_has_exactly_the_routes_of_the_app() -> None:
    routes = {
        (path, method.lower())
        for path, methods in app.app.routes.items()
        for method, entry in methods.items()
        if entry.view_function.__name__ not in FILLED_IN
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
