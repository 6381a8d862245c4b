"""The archive that Lambda unpacks: the same input gives the same bytes."""

import shutil
import zipfile
from collections.abc import Iterable
from pathlib import Path

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The time of every entry: the first one that the zip format can state."""


def write(bundle: Path, *, vendor: Path, app: Path) -> None:
    """Write `bundle`: the archive `vendor`, and after it every entry of the archive `app`."""
    with zipfile.ZipFile(app) as archive:
        entries = [
            (info.filename, archive.read(info)) for info in archive.infolist() if not info.is_dir()
        ]
    shutil.copyfile(vendor, bundle)
    with zipfile.ZipFile(bundle, "a") as archive:
        _add(archive, entries)


def archive_folder(folder: Path, into: Path) -> None:
    """Write the archive `into`: every file of `folder`."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    with zipfile.ZipFile(into, "w") as archive:
        _add(archive, [(str(path.relative_to(folder)), path.read_bytes()) for path in files])


def _add(archive: zipfile.ZipFile, entries: Iterable[tuple[str, bytes]]) -> None:
    """Add `entries` in the order of their names, without times."""
    for name, content in sorted(entries):
        info = zipfile.ZipInfo(name, EPOCH)
        info.external_attr = 0o644 << 16
        info.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(info, content, compresslevel=6)
