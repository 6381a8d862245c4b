"""The README's tour with curl works exactly as it is written, in bash and in zsh."""

import json
import os
import re
import shutil
import subprocess

import pytest

from infra.local.stack import Stack
from infra.paths import ROOT
from tests.docs.markdown import Document
from tests.e2e.conftest import ports_environment

pytestmark = pytest.mark.e2e


def _tour() -> str:
    (block,) = [text for text in Document(ROOT / "README.md").shell_blocks if "curl" in text]
    return block


def _environment(stack: Stack) -> dict[str, str]:
    """Return an environment in which the local commands are about `stack`."""
    return {**os.environ, **ports_environment(stack), "AETHERLINK_HOME": str(stack.home)}


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_the_tour_works_as_it_is_written(stack: Stack, shell: str) -> None:
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    arguments = ["-f"] if shell == "zsh" else ["--norc"]
    process = subprocess.run(
        [shell, *arguments, "-s"],  # line after line, as they are pasted
        input=_tour(),
        cwd=ROOT,
        env=_environment(stack),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert process.returncode == 0, process.stderr
    assert not process.stderr
    assert process.stdout.endswith("\n")
    text = process.stdout.replace("\r", "")
    assert "\n\n" not in re.sub(r"HTTP/[\s\S]*?\n\n", "", text), "one newline after each answer"
    answers = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    jobs, moved, changed, first, again, refused, health = answers
    assert "Replace the meter" in [job["title"] for job in jobs["items"]]
    assert (moved["status"], moved["version"]) == ("Scheduled", 2)
    assert (changed["amountCents"], changed["version"]) == (12_500, 3)
    assert (first["name"], first) == ("Contoso", again)
    assert text.count("HTTP/1.1 201") == 2
    assert (refused["status"], {e["field"] for e in refused["errors"]}) == (400, {"name", "nmae"})
    assert health["status"] == "ok"


def test_the_tour_has_nothing_that_a_shell_reads_differently() -> None:
    """At its prompt zsh takes no comments, and it never splits variables at blanks."""
    assert "#" not in _tour()
    unquoted = re.sub(r'"[^"]*"|\'[^\']*\'', "", _tour().replace('\\"', ""))
    assert not re.findall(r"(?<!=)\$[A-Za-z_]\w*", unquoted)
