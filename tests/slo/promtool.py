"""The real promtool, on rules and their tests."""

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


def run(*arguments: str | Path, where: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run promtool; its output is kept, its exit code is for the caller.

    Raises:
        ServiceFailed: it is neither here nor to be had.
        subprocess.TimeoutExpired: it took longer than MAX_SECONDS.
    """
    command = [str(program(PACKAGE, "promtool", CACHE)), *map(str, arguments)]
    return subprocess.run(command, cwd=where, capture_output=True, text=True, timeout=MAX_SECONDS)


@contextmanager
def copied(rules: str, tests: Iterable[Path]) -> Iterator[Path]:
    """Give a folder with `rules` in place of ours and copies of `tests`, each where it finds the rules."""
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder)
        (where / "rules").mkdir()
        (where / "tests").mkdir()
        (where / "rules" / RULES).write_text(rules)
        for test in tests:
            shutil.copy(test, where / "tests" / test.name)
        yield where
