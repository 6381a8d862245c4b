"""The index of the decision records, from their headings."""

from typing import Final

from infra.paths import ROOT

FOLDER: Final = ROOT / "docs" / "decisions"
PAGE: Final = """\
# Decisions

Each record states a problem, the choice, what was rejected, and what would reopen the question.
`make fmt` generates this index.

{entries}
"""


def page() -> str:
    """Return docs/decisions/README.md: a link to every record, in the order of their numbers."""
    entries = []
    for record in sorted(FOLDER.glob("0*.md")):
        heading = record.read_text().partition("\n")[0].removeprefix("# ")
        entries.append(f"- [{heading}]({record.name})")
    return PAGE.format(entries="\n".join(entries))
