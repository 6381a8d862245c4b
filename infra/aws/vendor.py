"""The locked requirements, compiled and compressed once for each lock file."""

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from infra.aws import bundle
from infra.aws.steps import compile_python, run, tool

PLATFORM = "x86_64-manylinux_2_28"
PYTHON = "3.11"
LAMBDA_HAS = ("boto3", "botocore", "s3transfer")
"""What Lambda's runtime brings: 25 MB that the bundle leaves out. The emulator brings it too."""

FORMAT = "zip"


def archive(root: Path, progress: Callable[[str], None]) -> Path:
    """Return the archive of the requirements that the lock file of `root` names.

    It is kept below `root`/.local/cache under a name that states what it was made from.

    Raises:
        PackagingFailed: a requirement cannot be installed.
    """
    lock = root / "requirements.txt"
    cached = root / ".local" / "cache" / f"vendor-{_key(lock)}.zip"
    if cached.exists():
        return cached
    progress("installing the locked requirements")
    cached.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cached.parent) as temporary:
        folder = Path(temporary) / "vendor"
        _install(lock, folder)
        _strip(folder)
        compile_python(folder.parent, folder.name)
        archive = Path(temporary) / cached.name
        bundle.archive_folder(folder, archive)
        archive.replace(cached)
    return cached


def _key(lock: Path) -> str:
    recipe = f"{PLATFORM} {PYTHON} {LAMBDA_HAS} {FORMAT}"
    return hashlib.sha256(lock.read_bytes() + recipe.encode()).hexdigest()[:16]


def _install(lock: Path, folder: Path) -> None:
    """Install the wheels of `lock` for Lambda's platform into `folder`."""
    options = ["-q", "--require-hashes", "--no-deps", "--only-binary", ":all:"]
    target = ["--python-platform", PLATFORM, "--python-version", PYTHON, "--target", str(folder)]
    run([tool("uv"), "pip", "install", *options, *target, "-r", str(lock)], lock.parent)


def _strip(folder: Path) -> None:
    """Remove what no function needs."""
    for name in (*LAMBDA_HAS, "bin"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for unneeded in [*folder.rglob("tests"), *folder.rglob("__pycache__")]:
        shutil.rmtree(unneeded, ignore_errors=True)
