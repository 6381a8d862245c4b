"""The rooms of chalicelib and the imports between them, hidden ones included.

import-linter checks the same order with every lint; it knows nothing of how many rooms there
are, so this test counts them, and finds cycles by itself.
"""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

from infra.paths import ROOT

PACKAGE = ROOT / "chalicelib"
LAYERS = (
    {"entrypoints"},
    {"bootstrap"},
    {"adapters"},
    {"config"},
    {"activity", "autoheal", "console", "crm", "idempotency", "outbox"},
    {"security"},
    {"telemetry"},
    {"shared"},
)
"""From the top to the bottom; `activity` and `console` are rooms that may be added."""

MAX_ROOMS = 13
NOT_CODE = {"static"}


def _room(module: str) -> str:
    """Return the room of a module below chalicelib, or an empty text."""
    parts = module.split(".")
    return parts[1] if parts[0] == "chalicelib" and len(parts) > 1 else ""


def _imported(source: Path) -> Iterator[str]:
    """Yield what a file imports, also within functions and for type checkers alone."""
    package = source.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def _graph() -> dict[str, set[str]]:
    """Return the rooms that each room imports."""
    graph: dict[str, set[str]] = {}
    for source in PACKAGE.rglob("*.py"):
        room = source.relative_to(PACKAGE).parts[0]
        if room == "__init__.py":
            continue
        graph.setdefault(room, set()).update(map(_room, _imported(source)))
    return {room: imported - {room, ""} for room, imported in graph.items()}


GRAPH = _graph()


def test_there_are_few_rooms_and_each_has_a_layer() -> None:
    rooms = {path.name for path in PACKAGE.iterdir() if path.is_dir()}
    rooms -= {"__pycache__", *NOT_CODE}
    assert len(rooms) <= MAX_ROOMS
    assert rooms == set(GRAPH), "every module stands in a room"
    assert rooms <= set.union(*LAYERS)


def test_no_rooms_import_each_other_in_a_circle() -> None:
    TopologicalSorter(GRAPH).prepare()


def test_no_room_imports_one_of_its_own_layer_or_above() -> None:
    level = {room: position for position, layer in enumerate(LAYERS) for room in layer}
    upward = [
        f"{room} -> {imported}"
        for room, imports in GRAPH.items()
        for imported in imports
        if level[imported] <= level[room]
    ]
    assert not upward


def test_hidden_imports_are_seen(tmp_path: Path) -> None:
    assert "adapters" in GRAPH["bootstrap"], "bootstrap imports adapters within functions"
    assert GRAPH["shared"] == set()
