"""Loads a page in a real Chromium, and returns what became of it."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

PROGRAM = shutil.which("chromium") or shutil.which("google-chrome")
PAGE_SECONDS = 60
RENDERING_MILLISECONDS = 8_000
SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    f"--virtual-time-budget={RENDERING_MILLISECONDS}",
)


@dataclass(frozen=True, slots=True)
class Page:
    """A page after its scripts have run: its document, and the lines of its console."""

    html: str
    console: tuple[str, ...]


def load(url: str, profile: Path, *switches: str) -> Page:
    """Return the page at `url`, loaded with a new profile; skip where there is no Chromium."""
    if PROGRAM is None:
        pytest.skip("there is no Chromium on this machine")
    command = [PROGRAM, *SWITCHES, *switches, f"--user-data-dir={profile}", "--dump-dom", url]
    run = subprocess.run(command, capture_output=True, text=True, timeout=PAGE_SECONDS)
    assert run.returncode == 0, run.stderr
    console = tuple(line for line in run.stderr.splitlines() if ":CONSOLE" in line)
    return Page(run.stdout, console)
