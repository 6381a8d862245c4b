"""Reads the Markdown files of the project: fenced blocks, inline code, links and anchors."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from infra.paths import ROOT

FENCE = re.compile(r"^(```+)(\w*)\n(.*?)^\1$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
NOT_IN_ANCHORS = re.compile(r"[^\w\- ]")
SHELL = {"sh", "bash"}


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language and its text."""

    language: str
    text: str


class Document:
    """One Markdown file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = str(path.relative_to(ROOT))
        self.text = path.read_text()

    @cached_property
    def blocks(self) -> list[Block]:
        return [Block(match[2], match[3]) for match in FENCE.finditer(self.text)]

    @property
    def shell_blocks(self) -> list[str]:
        return [block.text for block in self.blocks if block.language in SHELL]

    @cached_property
    def prose(self) -> str:
        """The text without its fenced blocks."""
        return FENCE.sub("", self.text)

    @property
    def inline_code(self) -> list[str]:
        return CODE.findall(self.prose)

    @property
    def links(self) -> list[str]:
        return LINK.findall(CODE.sub("", self.prose))

    @property
    def anchors(self) -> set[str]:
        """The anchors that GitHub gives the headings."""
        anchors: dict[str, int] = {}
        for heading in HEADING.findall(self.prose):
            text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
            anchor = NOT_IN_ANCHORS.sub("", text.lower().strip()).replace(" ", "-")
            count = anchors.get(anchor, 0)
            anchors[anchor] = count + 1
            if count:
                anchors[f"{anchor}-{count}"] = 1
        return set(anchors)


def tracked(pattern: str) -> list[Path]:
    """Return the files of the project that match `pattern`, without what is built or ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "--", pattern],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode == 0:
        return sorted(ROOT / line for line in set(listed.stdout.splitlines()))
    files = (path for path in ROOT.rglob(pattern) if path.is_file())
    hidden = {".venv", ".local", "build", ".git"}
    return sorted(path for path in files if not hidden & set(path.relative_to(ROOT).parts))


def documents() -> Iterator[Document]:
    """Yield every Markdown file of the project, except the templates that pages are made from."""
    for path in tracked("*.md"):
        if path.exists() and "templates" not in path.parts:
            yield Document(path)
