"""One thought a line: limits on files, functions and lines of what is shipped and what ships it."""

import ast
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path

from infra.paths import ROOT

MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 45
MAX_LINE = 100
COMFORTABLE_LINE = 92
MAX_UNCOMFORTABLE = 0.03
MAX_PARALLEL_PER_1000 = 2.0
FOLDERS = ("chalicelib", "infra")


def _sources(folder: str) -> list[Path]:
    return [ROOT / "app.py", *sorted((ROOT / folder).rglob("*.py"))]


def _lines(folder: str) -> list[str]:
    return [line for source in _sources(folder) for line in source.read_text().splitlines()]


def _nodes(folder: str) -> Iterator[tuple[Path, ast.AST]]:
    for source in _sources(folder):
        for node in ast.walk(ast.parse(source.read_text())):
            yield source, node


def _is_parallel(node: ast.AST) -> bool:
    """Return whether `node` assigns unlike things at once: `a, b = x, y`, but not a swap."""
    if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Tuple):
        return False
    target = node.targets[0]
    if not isinstance(target, ast.Tuple):
        return False
    assigned = {ast.unparse(name) for name in target.elts}
    return assigned != {ast.unparse(value) for value in node.value.elts}


def test_files_stay_small() -> None:
    sizes = {
        str(source.relative_to(ROOT)): len(source.read_text().splitlines())
        for folder in FOLDERS
        for source in _sources(folder)
    }
    assert not {file: size for file, size in sizes.items() if size > MAX_FILE_LINES}


def test_functions_fit_a_screen() -> None:
    long = {
        f"{source.relative_to(ROOT)}:{node.name}": node.end_lineno - node.lineno + 1
        for folder in FOLDERS
        for source, node in _nodes(folder)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno + 1 > MAX_FUNCTION_LINES
    }
    assert not long


def test_lines_are_seldom_long_and_never_longer_than_the_limit() -> None:
    for folder in FOLDERS:
        lengths = [len(line) for line in _lines(folder)]
        share = sum(length > COMFORTABLE_LINE for length in lengths) / len(lengths)
        assert share <= MAX_UNCOMFORTABLE, f"{folder}: {share:.1%} over {COMFORTABLE_LINE}"
        assert max(lengths) <= MAX_LINE, folder


def test_hardly_any_line_assigns_unlike_things_at_once() -> None:
    for folder in FOLDERS:
        parallel = [source for source, node in _nodes(folder) if _is_parallel(node)]
        assert len(parallel) / len(_lines(folder)) * 1_000 <= MAX_PARALLEL_PER_1000, parallel


def test_no_conditional_expression_holds_another() -> None:
    nested = [
        f"{source.relative_to(ROOT)}:{node.lineno}"
        for folder in FOLDERS
        for source, node in _nodes(folder)
        if isinstance(node, ast.IfExp)
        and any(isinstance(inner, ast.IfExp) for inner in (node.test, node.body, node.orelse))
    ]
    assert not nested


def test_no_rule_is_switched_off_for_formatting() -> None:
    """Comments that keep the formatter away hide dense lines."""
    switched_off = [
        f"{source.relative_to(ROOT)}:{token.start[0]}"
        for folder in FOLDERS
        for source in _sources(folder)
        for token in tokenize.generate_tokens(io.StringIO(source.read_text()).readline)
        if token.type == tokenize.COMMENT and "E501" in token.string
    ]
    assert not switched_off
