"""The glossary is in order, has a sentence for each term, and covers the product."""

import re

import pytest

from infra.paths import ROOT

ROW = re.compile(r"^\| \*\*(.+?)\*\* \| (.+) \|$", re.MULTILINE)
TERMS = ROW.findall((ROOT / "docs" / "glossary.md").read_text())
NAMES = [name for name, _ in TERMS]


def test_terms_stand_in_alphabetical_order_and_once() -> None:
    assert sorted({name.lower() for name in NAMES}) == [name.lower() for name in NAMES]


@pytest.mark.parametrize(("name", "meaning"), TERMS, ids=NAMES)
def test_a_term_is_explained_in_one_sentence(name: str, meaning: str) -> None:
    assert meaning.endswith(".")
    assert not re.search(r"[.!?] [A-Z]", meaning)


@pytest.mark.parametrize(
    "term",
    [
        "action",
        "answer store",
        "batch",
        "breaker",
        "burn rate",
        "cooldown",
        "dead letter",
        "drill",
        "episode",
        "error budget",
        "fleet cap",
        "idempotency key",
        "inbox",
        "lease",
        "park",
        "rail",
        "readiness",
        "remediation",
        "replay",
        "runbook",
        "shard",
        "silence",
        "stream",
        "wave",
    ],
)
def test_the_terms_of_the_product_are_explained(term: str) -> None:
    assert term in NAMES


def test_every_room_is_explained_in_the_architecture_page() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    folders = [path for path in (ROOT / "chalicelib").iterdir() if (path / "__init__.py").exists()]
    for folder in folders:
        assert re.search(rf"\b{folder.name}\b", page), folder.name
