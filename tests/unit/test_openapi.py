"""The OpenAPI document: valid, complete, current, and compatible with the one that callers know."""

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
"""The document as callers know it. Replace it only with a new major version."""


def test_it_is_valid() -> None:
    OpenAPIV31SpecValidator(NEW).validate()


def test_every_route_is_in_it_and_nothing_else() -> None:
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
        one["operationId"] for methods in NEW["paths"].values() for one in methods.values()
    } == set(operations())


def test_every_error_is_a_problem_document() -> None:
    for methods in NEW["paths"].values():
        for one in methods.values():
            for status, answer in one["responses"].items():
                if status >= "400" and one["operationId"] != "ready":
                    assert list(answer["content"]) == ["application/problem+json"], one[
                        "operationId"
                    ]


def test_everything_but_what_is_public_needs_a_caller() -> None:
    public = {
        one["operationId"]
        for m in NEW["paths"].values()
        for one in m.values()
        if not one["security"]
    }
    assert public == {"home", "live", "ready", "openapi", "docs"}
    for one in (one for methods in NEW["paths"].values() for one in methods.values()):
        assert bool(one["security"]) == ({"401", "403"} <= set(one["responses"]))
        assert bool(one.get("x-roles")) == (one["security"] == [{"bearer": []}])


@pytest.mark.parametrize("path", sorted(OLD["paths"]))
def test_callers_of_the_published_document_still_work(path: str) -> None:
    for method, old in OLD["paths"][path].items():
        new = NEW["paths"].get(path, {}).get(method)
        assert new, f"{method} {path} is gone"
        needed = {one["name"] for one in new["parameters"] if one.get("required")}
        assert needed <= {one["name"] for one in old["parameters"] if one.get("required")}, (
            "a new must"
        )
        assert {one["name"] for one in old["parameters"]} <= {
            one["name"] for one in new["parameters"]
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
        assert set(new.get("required", ())) <= set(old.get("required", ())), (
            "a new must for callers"
        )
    else:
        assert set(old.get("required", ())) <= set(new.get("required", ())), (
            "what was always there must stay"
        )
    for field, before in old["properties"].items():
        assert _kinds(before) & _kinds(new["properties"][field]), (
            f"{name}.{field} is another thing now"
        )


def _kinds(schema: dict[str, Any]) -> set[str]:
    return {
        str(one.get("type") or one.get("$ref") or "any") for one in schema.get("anyOf", [schema])
    }
