"""The real promtool, on rules and their tests."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from infra.local.debian import program
from infra.paths import ROOT
from infra.slo.outputs import RULES

PACKAGE: Final = "prometheus"
CACHE: Final = ROOT / ".local" / "cache"
TESTS: Final = ROOT / "infra" / "prometheus" / "tests"
MAX_SECONDS: Final = 120
GO: Final = {"GOMAXPROCS": "1", "GOGC": "400"}
"""promtool evaluates one rule at a time; fewer garbage collections save a fifth of its time."""


def run(*arguments: str | Path, where: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run promtool; keep its output and leave its exit code to the caller.

    Raises:
        ServiceFailed: it is not installed and cannot be downloaded.
        subprocess.TimeoutExpired: it took longer than MAX_SECONDS.
    """
    command = [str(program(PACKAGE, "promtool", CACHE)), *map(str, arguments)]
    return subprocess.run(
        command,
        cwd=where,
        env=os.environ | GO,
        capture_output=True,
        text=True,
        timeout=MAX_SECONDS,
    )


@contextmanager
def copied(rules: str, tests: Iterable[Path]) -> Iterator[Path]:
    """Provide a folder with `rules` and copies of `tests`, which find them there."""
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder)
        (where / "rules").mkdir()
        (where / "tests").mkdir()
        (where / "rules" / RULES).write_text(rules)
        for test in tests:
            shutil.copy(test, where / "tests" / test.name)
        yield where
