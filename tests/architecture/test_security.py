"""Each line of the threat model names tests, and they exist."""

import ast
import re

import pytest

from infra.paths import ROOT

NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
LINES = [
    line
    for line in (ROOT / "docs" / "security.md").read_text().splitlines()
    if line.startswith("| ") and not line.startswith(("| ---", "| an attacker who |"))
]


def _tests(file: str) -> set[str]:
    """Return the names of a file's tests, without importing it."""
    return {
        node.name
        for node in ast.walk(ast.parse((ROOT / file).read_text()))
        if isinstance(node, ast.FunctionDef)
    }


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.split("|")[1].strip()[:60])
def test_each_line_of_the_threat_model_names_tests_that_exist(
    line: str,
) -> None:
    named = NAMED.findall(line)
    assert named, "the line names no test"
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
        "Operators",
        "Webhooks",
        "Supply chain",
        "integration",
    ):
        assert any(boundary in section for section in sections), boundary
