"""The commands that a build consists of, and the error that ends one."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

TIMEOUT_SECONDS = 300
MAX_OUTPUT = 2_000
"""How many characters an error contains of the end of a failed command's output."""


class PackagingFailed(Exception):
    """A step of the build failed; the text has its output and what to do."""


def tool(name: str) -> str:
    """Return the path of a program that is installed beside the running Python."""
    return str(Path(sys.executable).with_name(name))


def run(command: list[str], folder: Path, env: Mapping[str, str] | None = None) -> None:
    """Run `command` in `folder`, with `env` added to the environment.

    Raises:
        PackagingFailed: it ended with an exit code other than 0.
    """
    process = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
    )
    if process.returncode:
        output = (process.stderr or process.stdout).strip()[-MAX_OUTPUT:]
        raise PackagingFailed(
            f"{' '.join(command[:4])} failed:\n{output}\nremedy: `make clean`, then try again"
        )


def compile_python(folder: Path, name: str, *, sourceless: bool = False) -> None:
    """Compile every module below `folder`/`name`; `sourceless` removes the sources.

    The byte code is accepted without a look at its source's time, because times in a bundle
    are all the same. The paths in it are relative, so that every machine compiles the same.
    """
    options = ["-q", "--invalidation-mode", "unchecked-hash"]
    if sourceless:
        options.append("-b")
    run([sys.executable, "-m", "compileall", *options, name], folder)
    if sourceless:
        for source in (folder / name).rglob("*.py"):
            if source.with_suffix(".pyc").exists():
                source.unlink()
