"""The locked requirements: installed for one runtime, compiled, and compressed once."""

import hashlib
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from infra.aws import bundle
from infra.aws.runtime import Runtime
from infra.aws.steps import compile_python, run, tool

LAMBDA_HAS = ("boto3", "botocore", "s3transfer")
"""What Lambda's runtime, and the emulator's, brings: 25 MB that the bundle leaves out."""

UNUSED_FOLDERS = (
    "bin",
    "sqlalchemy/testing",
    "sqlalchemy/ext",
    "cffi",
    "pycparser",
    "kafka/cli",
)
"""What no function imports; a test loads every handler and adapter without it."""

UNUSED_FILES = (
    "*.pyi",
    "py.typed",
    "*.pyx",
    "*.pxd",
    "*.h",
    "*.c",
    ".lock",
    "*.dist-info/RECORD",
)
DIALECTS = "sqlalchemy/dialects"
DIALECTS_USED = ("postgresql", "__init__.py", "_typing.py")
FORMAT = "sourceless zip 4"


def archive(root: Path, runtime: Runtime, progress: Callable[[str], None]) -> Path:
    """Return the archive of the requirements that the lock file of `root` names.

    It is kept below `root`/.local/cache under a name that states what it was made from.

    Raises:
        PackagingFailed: a requirement cannot be installed.
    """
    lock = root / "requirements.txt"
    cached = root / ".local" / "cache" / f"vendor-{_key(lock, runtime)}.zip"
    if cached.exists():
        return cached
    progress("installing the locked requirements")
    cached.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cached.parent) as temporary:
        folder = Path(temporary) / "vendor"
        _install(lock, runtime, folder)
        _strip(folder)
        progress("compiling and compressing them")
        compile_python(folder.parent, folder.name, sourceless=True)
        archive = Path(temporary) / cached.name
        bundle.archive_folder(folder, archive)
        archive.replace(cached)
    return cached


def _key(lock: Path, runtime: Runtime) -> str:
    recipe = f"{runtime.key} {LAMBDA_HAS} {UNUSED_FOLDERS} {UNUSED_FILES} {FORMAT}"
    return hashlib.sha256(lock.read_bytes() + recipe.encode()).hexdigest()[:16]


def _install(lock: Path, runtime: Runtime, folder: Path) -> None:
    """Install the wheels of `lock` for `runtime` into `folder`."""
    options = ["-q", "--require-hashes", "--no-deps", "--only-binary", ":all:"]
    target = ["--target", str(folder)]
    if runtime.platform:
        target += ["--python-platform", runtime.platform, "--python-version", runtime.python]
    else:
        target += ["--python", sys.executable]
    run([tool("uv"), "pip", "install", *options, *target, "-r", str(lock)], lock.parent)


def _strip(folder: Path) -> None:
    """Remove what no function needs."""
    dialects = (folder / DIALECTS).iterdir()
    unused_dialects = [path for path in dialects if path.name not in DIALECTS_USED]
    left_out = [path for name in LAMBDA_HAS for path in folder.glob(f"{name}-*.dist-info")]
    for name in (*LAMBDA_HAS, *UNUSED_FOLDERS):
        shutil.rmtree(folder / name, ignore_errors=True)
    unneeded = [*folder.rglob("tests"), *folder.rglob("__pycache__")]
    for path in [*unused_dialects, *left_out, *unneeded]:
        shutil.rmtree(path, ignore_errors=True)
    for pattern in UNUSED_FILES:
        for path in folder.rglob(pattern):
            path.unlink()
