"""Running a program as somebody who is not root, which PostgreSQL insists on."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from infra.local.process import PartFailed

USER = "nobody"
GROUP = "nogroup"
SECONDS = 30
CAPABILITIES = ("", "dac_read_search", "dac_override")
"""What it takes to enter a folder that is closed to others (a checkout under /root), least first; containers often
have only the last one to give."""


def user() -> str | None:
    """Return who must own the program's files; None where we are not root and run everything as ourselves."""
    return USER if os.geteuid() == 0 else None


@cache
def prefix(program: Path, folder: Path) -> Sequence[str]:
    """Return what stands before a command so that it may run `program` and work in `folder`; nothing if not root.

    Raises:
        PartFailed: nobody but root can get there.
    """
    if user() is None:
        return ()
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise PartFailed(
            "postgres",
            "there is no `setpriv`",
            remedy="install util-linux, or do not work as root",
        )
    for capability in CAPABILITIES:
        found = [setpriv, f"--reuid={USER}", f"--regid={GROUP}", "--clear-groups"]
        if capability:
            # without no_setuid_fixup access(2) would not count the capability, and
            # PostgreSQL asks it first
            found += [
                f"--inh-caps=+{capability}",
                f"--ambient-caps=+{capability}",
                "--securebits=+no_setuid_fixup",
            ]
        tried = [
            'test -x "$1" && "$1" --version && cd "$2"',
            "sh",
            str(program),
            str(folder),
        ]
        done = subprocess.run(
            [*found, "sh", "-c", *tried], capture_output=True, timeout=SECONDS, cwd="/"
        )
        if done.returncode == 0:
            return tuple(found)
    raise PartFailed(
        "postgres",
        f"user {USER}, as whom it runs because root may not, cannot enter {folder} or run {program}",
        remedy="work in a folder that others may enter (`chmod o+x` on its parents), or do not work as root",
    )
