"""Running a program as a user other than root, which PostgreSQL insists on."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from infra.local.errors import ServiceFailed

USER_ID = 65_534
"""Linux' overflow user and group, which own nothing."""
ATTEMPT_SECONDS = 30
CAPABILITIES = ("", "dac_read_search", "dac_override")
"""What may be needed to enter a folder that is closed to others (a checkout under /root), the least
first. Containers often can only grant the last one."""
ATTEMPT = 'test -x "$1" && "$1" --version && cd "$2"'


def user() -> int | None:
    """Return the id of the user who must own the program's files; None where we are not root."""
    return USER_ID if os.geteuid() == 0 else None


@cache
def prefix(program: Path, folder: Path) -> Sequence[str]:
    """Return what to put before a command so that it may run `program` and work in `folder`.

    It is empty where we are not root.

    Raises:
        ServiceFailed: an unprivileged user cannot be given access.
    """
    if user() is None:
        return ()
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise ServiceFailed(
            "postgres",
            "the program `setpriv` is missing",
            remedy="install util-linux, or do not work as root",
        )
    for capability in CAPABILITIES:
        command = _command(setpriv, capability)
        attempt = [*command, "sh", "-c", ATTEMPT, "sh", str(program), str(folder)]
        result = subprocess.run(attempt, capture_output=True, timeout=ATTEMPT_SECONDS, cwd="/")
        if result.returncode == 0:
            return tuple(command)
    raise ServiceFailed(
        "postgres",
        f"it must not run as root, and user {USER_ID} cannot enter {folder} or run {program}",
        remedy="work in a folder that others may enter (`chmod o+x` on its parents), "
        "or do not work as root",
    )


def _command(setpriv: str, capability: str) -> list[str]:
    command = [setpriv, f"--reuid={USER_ID}", f"--regid={USER_ID}", "--clear-groups"]
    if capability:
        command += [
            f"--inh-caps=+{capability}",
            f"--ambient-caps=+{capability}",
            # without it access(2), which PostgreSQL asks first, would ignore the capability
            "--securebits=+no_setuid_fixup",
        ]
    return command
