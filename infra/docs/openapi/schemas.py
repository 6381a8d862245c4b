"""The schemas of models, and references to them."""

from collections.abc import Iterable, Iterator
from typing import Any

from pydantic.json_schema import models_json_schema

from chalicelib.entrypoints.operation import Operation
from chalicelib.entrypoints.schemas import INTEGER, STRING, array_of, object_schema
from chalicelib.shared.schema import Model

REFERENCE = "#/components/schemas/{model}"
PROBLEM = {
    "title": "Problem",
    "description": (
        "An error (RFC 9457). `code` is stable. `errors` names each field that is not valid."
    ),
    **object_schema(
        {
            "type": STRING,
            "title": STRING,
            "status": INTEGER,
            "detail": STRING,
            "instance": STRING,
            "code": STRING,
            "requestId": STRING,
            "errors": array_of(object_schema({"field": STRING, "message": STRING})),
        },
        {
            "allowed": {
                **array_of(STRING),
                "description": "The allowed statuses, after an illegal status change.",
            }
        },
    ),
}


def reference(model: type[Model]) -> dict[str, str]:
    """Return a reference to the schema of `model`."""
    return {"$ref": REFERENCE.format(model=model.__name__)}


def resolved(schema: Any) -> Any:
    """Return `schema` with a reference in the place of each model class."""
    if isinstance(schema, type):
        return reference(schema)
    if isinstance(schema, list):
        return [resolved(item) for item in schema]
    if isinstance(schema, dict):
        return {name: resolved(value) for name, value in schema.items()}
    return schema


def components(operations: Iterable[Operation]) -> dict[str, Any]:
    """Return the schema of every model that the operations use, by name, and of problems."""
    requests = set()
    models: set[type[Model]] = set()
    for operation in operations:
        models.update(_models_in(operation.response))
        if operation.request:
            requests.add(operation.request)
    ordered = sorted(models | requests, key=lambda model: model.__name__)
    modes: Any = [
        (model, "validation" if model in requests else "serialization") for model in ordered
    ]
    _, generated = models_json_schema(modes, by_alias=True, ref_template=REFERENCE)
    names = {model.__name__ for model in requests}
    schemas = {
        name: _simplified(schema, is_request=name in names)
        for name, schema in generated["$defs"].items()
    }
    return {**schemas, "Problem": PROBLEM}


def _models_in(schema: Any) -> Iterator[type[Model]]:
    if isinstance(schema, type):
        yield schema
    elif isinstance(schema, list):
        for item in schema:
            yield from _models_in(item)
    elif isinstance(schema, dict):
        for value in schema.values():
            yield from _models_in(value)


def _simplified(value: Any, *, is_request: bool) -> Any:
    """Return a schema without the members that would promise too much.

    In a patch, `default: null` means absent. Responses may get new members, so what is
    required of requests alone is no promise about responses.
    """
    if isinstance(value, list):
        return [_simplified(item, is_request=is_request) for item in value]
    if not isinstance(value, dict):
        return value
    dropped = set() if is_request else {"additionalProperties", "pattern"}
    return {
        name: _simplified(member, is_request=is_request)
        for name, member in value.items()
        if name not in dropped and not (name == "default" and member is None)
    }
