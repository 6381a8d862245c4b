"""The names of a body's fields on the wire. A field's name in code is not one of them.

Pydantic takes both, because code states fields by their names; and where it is asked to take
aliases alone, it ignores a name in code instead of refusing it.
"""

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel


def names_in_code(model: type[BaseModel], value: Any) -> Iterator[tuple[str, ...]]:
    """Yield the path of each key of the JSON `value` that is only a name in code of `model`."""
    if not isinstance(value, dict):
        return
    for name, field in model.model_fields.items():
        alias = field.alias or name
        if name != alias and name in value:
            yield (name,)
        for nested in _models_in(field.annotation):
            for path in names_in_code(nested, value.get(alias)):
                yield (alias, *path)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
