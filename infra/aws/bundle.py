"""The archive that Lambda unpacks: the same input gives the same bytes."""

import shutil
import zipfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The time of every entry: the first one that the zip format can state."""


def write(bundle: Path, *, vendor: Path, app: Path) -> None:
    """Write `bundle`: the archive `vendor`, and after it every file of the folder `app`."""
    shutil.copyfile(vendor, bundle)
    with zipfile.ZipFile(bundle, "a") as archive:
        _add(archive, _files(app))


def archive_folder(folder: Path, into: Path) -> None:
    """Write the archive `into`: every file of `folder`."""
    with zipfile.ZipFile(into, "w") as archive:
        _add(archive, _files(folder))


def _files(folder: Path) -> list[tuple[str, bytes]]:
    """Return every file of `folder`: its path in it, and its content."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [(str(path.relative_to(folder)), path.read_bytes()) for path in files]


def sizes(bundle: Path) -> dict[str, int]:
    """Return the compressed bytes of each package of `bundle`, the largest first."""
    total: Counter[str] = Counter()
    with zipfile.ZipFile(bundle) as archive:
        for info in archive.infolist():
            total[info.filename.split("/")[0]] += info.compress_size
    return dict(total.most_common())


def _add(archive: zipfile.ZipFile, entries: Iterable[tuple[str, bytes]]) -> None:
    """Add `entries` in the order of their names, without times."""
    for name, content in sorted(entries):
        info = zipfile.ZipInfo(name, EPOCH)
        info.external_attr = 0o644 << 16
        info.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(info, content, compresslevel=6)
