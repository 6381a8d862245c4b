"""The words that people read are the field's: none of the project's old private vocabulary."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.paths import ROOT
from tests.docs.markdown import tracked

BANNED = {
    "aboard": "included",
    "cure": "remedy, healing",
    "cured": "healed",
    "cures": "heals",
    "desk": "administration",
    "flight": "batch",
    "flights": "batches",
    "grounded": "rejected",
    "is had": "is available",
    "ledger": "answer store, totals",
    "lets in": "accepts",
    "is away": "is down, cannot be reached",
    "nobody": "no one in particular: name who",
    "patient": "target",
    "patients": "targets",
    "somebody": "name who: a person, an operator, a caller",
    "standing": "status",
    "tell": "return, report, state",
    "tells": "returns, reports, states",
    "that is none": "invalid",
    "to be had": "available",
    "told": "notified, stated",
    "whoever": "name who",
}
"""What must not be read -> what to write."""

BANNED_IN_OUTBOX = {"company": "max_batch_size"}
"""The same in the outbox alone; a company may be an account of the CRM."""

WORDS = re.compile(
    r"(?<![\w-])(" + "|".join(map(re.escape, {**BANNED, **BANNED_IN_OUTBOX})) + r")(?![\w-])", re.I
)

CONTRACT = (
    re.compile(r'["`]ledger["`]'),  # a table's name
    re.compile(r"aetherlink-autoheal-[\w*]+-ledger|-ledger\b|AutohealLedgerTable|/ledger\b"),
)
"""Strings that a deployment or a caller relies on, and that therefore stay."""

WHERE = (
    "chalicelib/**/*.py",
    "infra/**/*.py",
    "infra/**/*.yml",
    "infra/**/*.sql",
    "*.md",
    "app.py",
)
NOT_READ = (
    "CHANGELOG.md",  # may name what was renamed
    "infra/prometheus/",  # generated
)


def _files() -> Iterator[Path]:
    for pattern in WHERE:
        for path in tracked(f":(glob){pattern}" if "**" in pattern else pattern):
            name = str(path.relative_to(ROOT))
            if path.exists() and not name.startswith(NOT_READ):
                yield path


def banned_in(text: str, file: str = "") -> list[str]:
    """Return the banned words of a line of `file`, without the strings of a contract."""
    for contract in CONTRACT:
        text = contract.sub("", text)
    words = [match.lower() for match in WORDS.findall(text)]
    return [word for word in words if word in BANNED or "outbox" in file]


def _findings() -> dict[str, list[str]]:
    """Return a line for each finding, by the first part of its file's path."""
    findings: dict[str, list[str]] = {}
    for path in _files():
        file = str(path.relative_to(ROOT))
        for number, line in enumerate(path.read_text().splitlines(), 1):
            for word in banned_in(line, file):
                better = {**BANNED, **BANNED_IN_OUTBOX}[word]
                findings.setdefault(file.split("/")[0], []).append(
                    f"{file}:{number} has {word!r}; write: {better}"
                )
    return findings


FINDINGS = _findings()


@pytest.mark.parametrize("part", ["chalicelib", "infra", "docs", "README.md", "CONTRIBUTING.md"])
def test_no_text_uses_the_old_vocabulary(part: str) -> None:
    lines = FINDINGS.get(part, [])
    assert not lines, "\n".join(lines)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("Tells whether somebody is aboard.", ["tells", "somebody", "aboard"]),
        ("a flight_plan, patient-zero, telling, untold", []),
        ('tables = ("state", "ledger")', []),
        ("the ledger decides", ["ledger"]),
    ],
)
def test_words_are_found_and_parts_of_words_are_not(line: str, words: list[str]) -> None:
    assert banned_in(line) == words
