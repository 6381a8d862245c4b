"""The threat model names a test for each line, and each of them is there."""

import ast
import re

import pytest

from infra.paths import ROOT

NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
LINES = [
    line
    for line in (ROOT / "docs" / "security.md").read_text().splitlines()
    if line.startswith("| ") and not line.startswith(("| ---", "| somebody |"))
]


def _tests(file: str) -> set[str]:
    """Return the names of a file's tests, without importing it."""
    return {
        node.name
        for node in ast.walk(ast.parse((ROOT / file).read_text()))
        if isinstance(node, ast.FunctionDef)
    }


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.split("|")[1].strip()[:60])
def test_each_line_of_the_threat_model_is_guarded_by_tests_that_are_there(
    line: str,
) -> None:
    named = NAMED.findall(line)
    assert named, "no test guards it"
    assert line.count("::") == len(named), "a test is not named as `file::name`"
    assert not [
        f"{file}::{name}"
        for file, name in named
        if not (ROOT / file).exists() or name not in _tests(file)
    ]


def test_the_threat_model_covers_every_boundary() -> None:
    assert len(LINES) > 40
    sections = re.findall(r"^## (.+)$", (ROOT / "docs" / "security.md").read_text(), re.MULTILINE)
    for boundary in (
        "Internet",
        "PostgreSQL",
        "Kafka",
        "DynamoDB",
        "desk",
        "Webhooks",
        "Supply chain",
        "integration",
    ):
        assert any(boundary in one for one in sections), boundary
