"""What has to hold before anything is started: a folder that can be written, room, free ports."""

import errno
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from infra.local.errors import ServiceFailed
from infra.local.service import Service

HOME_SETTING = "AETHERLINK_HOME"
MIN_FREE_BYTES = 512 * 1024**2
"""A fresh stack takes about 400 MB: data, packages, programs."""
ELSEWHERE = f"set {HOME_SETTING} to another folder"
REMEDIES = {
    errno.EACCES: f"make it writable, or {ELSEWHERE}",
    errno.EPERM: f"make it writable, or {ELSEWHERE}",
    errno.EROFS: f"make it writable, or {ELSEWHERE}",
    errno.ENOSPC: f"free some space, or {ELSEWHERE}",
    errno.EDQUOT: f"free some space, or {ELSEWHERE}",
}


def require_storage(home: Path) -> None:
    """Make the folder `home`.

    Raises:
        ServiceFailed: it cannot be made or written, or its disk is nearly full.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home) as probe:
            probe.write(b"room")
        free = shutil.disk_usage(home).free
    except OSError as error:
        raise storage_failed(error, home) from None
    if free < MIN_FREE_BYTES:
        raise ServiceFailed(
            str(home),
            f"its disk has {free // 1024**2} MB left, and {MIN_FREE_BYTES // 1024**2} are needed",
            remedy=REMEDIES[errno.ENOSPC],
        )


def storage_failed(error: OSError, home: Path) -> ServiceFailed:
    """Return `error` with a remedy; it happened while working in `home`."""
    place = error.filename or home
    text = error.strerror or type(error).__name__
    return ServiceFailed(
        str(place), text, remedy=REMEDIES.get(error.errno or 0, f"see to it, or {ELSEWHERE}")
    )


def command_failed(error: subprocess.SubprocessError) -> ServiceFailed:
    """Return the failure of a program, with a remedy."""
    command = getattr(error, "cmd", None) or ["a program"]
    name = command if isinstance(command, str) else str(command[0])
    output = str(getattr(error, "stderr", None) or error).strip().splitlines()
    reason = output[-1] if output else type(error).__name__
    return ServiceFailed(Path(name).name, reason, remedy="run `make up` again")


def require_ports(services: Iterable[Service]) -> None:
    """Raise `ServiceFailed` where a service does not run and a port of it is taken."""
    for service in services:
        service.require_ports()
