"""The tables of docs/deployment.md are those of the code."""

import json

import pytest

from infra.aws import secrets
from infra.docs import deployment


def test_every_function_stands_in_both_tables() -> None:
    config = json.loads((deployment.CHALICE / "config.json").read_text())
    lines = deployment.page().splitlines()
    for name in config["lambda_functions"]:
        rows = [line for line in lines if line.startswith(f"| `{name}` |")]
        assert len(rows) == 2, name


def test_every_secret_has_a_reader() -> None:
    table = deployment.secret_names()
    for setting in secrets.NAMES:
        [row] = [line for line in table.splitlines() if line.startswith(f"| `{setting}` |")]
        assert row.split("|")[3].strip(), setting


def test_the_page_has_every_table_once() -> None:
    text = deployment.PAGE.read_text()
    assert [match[2] for match in deployment.BLOCK.finditer(text)] == list(deployment.TABLES)


def test_a_table_that_does_not_exist_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(deployment.TABLES, "secrets")
    with pytest.raises(KeyError):
        deployment.page()
