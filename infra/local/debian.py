"""Programs from Debian packages, unpacked into a folder without installing them."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from infra.local.errors import ServiceFailed

DOWNLOAD_SECONDS = 120
MAX_ERROR_LENGTH = 500


def available(package: str, name: str, cache: Path) -> bool:
    """Return whether the program `name` of `package` is installed, or already in `cache`."""
    return bool(_installed(name)) or _unpacked(package, name, cache).exists()


def program(package: str, name: str, cache: Path) -> Path:
    """Return the program `name` of `package`: the installed one, or one downloaded once to `cache`.

    Raises:
        ServiceFailed: it is not installed and cannot be downloaded.
    """
    installed = _installed(name)
    if installed:
        return Path(installed)
    unpacked = _unpacked(package, name, cache)
    if not unpacked.exists():
        _download(package, _folder(package, cache))
    return unpacked


def _installed(name: str) -> str | None:
    """Return the path of an installed program, under Debian's name or its makers'."""
    upstream = name.removeprefix("prometheus-")
    names = (name, upstream, upstream.replace("-", "_"))
    return next(filter(None, map(shutil.which, names)), None)


def _folder(package: str, cache: Path) -> Path:
    return cache / f"debian-{package}"


def _unpacked(package: str, name: str, cache: Path) -> Path:
    return _folder(package, cache) / "usr" / "bin" / name


def _download(package: str, folder: Path) -> None:
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        raise ServiceFailed(
            package,
            "it is not installed, and there is no apt-get to download it with",
            remedy=f"install {package}",
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        work = Path(temporary)
        work.chmod(0o755)
        _run(package, ["apt-get", "download", package], work)
        archive = next(work.glob("*.deb"))
        _run(package, ["dpkg", "-x", str(archive), str(work / "root")], work)
        if not folder.exists():
            (work / "root").rename(folder)


def _run(package: str, command: list[str], folder: Path) -> None:
    remedy = f"install {package}, or run `apt-get update` and try again"
    try:
        result = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=DOWNLOAD_SECONDS
        )
    except subprocess.TimeoutExpired:
        reason = f"`{command[0]}` did not end within {DOWNLOAD_SECONDS} s"
        raise ServiceFailed(package, reason, remedy=remedy) from None
    if result.returncode:
        *_, reason = result.stderr.strip().splitlines() or [f"`{' '.join(command)}` failed"]
        raise ServiceFailed(package, reason[-MAX_ERROR_LENGTH:], remedy=remedy)
