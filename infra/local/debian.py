"""Programs from Debian packages, unpacked beside us: no root, nothing installed."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from infra.local.process import PartFailed

SECONDS = 120


def program(package: str, name: str, cache: Path) -> Path:
    """Return the program `name` of `package`: the installed one, or one fetched once into `cache`.

    Raises:
        PartFailed: it is neither here nor to be had.
    """
    found = shutil.which(name)
    if found:
        return Path(found)
    unpacked = cache / f"debian-{package}"
    if not (unpacked / "usr" / "bin" / name).exists():
        _fetch(package, unpacked)
    return unpacked / "usr" / "bin" / name


def _fetch(package: str, unpacked: Path) -> None:
    remedy = f"install {package}"
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        raise PartFailed(package, "this is no Debian", remedy=remedy)
    unpacked.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=unpacked.parent) as folder:
        where = Path(folder)
        where.chmod(0o755)
        _run(package, ["apt-get", "download", package], where)
        archive = next(where.glob("*.deb"))
        _run(package, ["dpkg", "-x", str(archive), str(where / "root")], where)
        if not unpacked.exists():
            (where / "root").rename(unpacked)


def _run(package: str, command: list[str], where: Path) -> None:
    done = subprocess.run(command, cwd=where, capture_output=True, text=True, timeout=SECONDS)
    if done.returncode:
        raise PartFailed(package, done.stderr.strip()[-500:], remedy=f"install {package}")
