"""Vendor Swagger UI for /docs: `python -m infra.docs.viewer 5.35.0`.

It unpacks a release from the npm registry into chalicelib/static/docs, and writes the
version and the SHA-256 of each file into vendor.json there, which a test compares.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from infra.paths import ROOT

FOLDER = ROOT / "chalicelib" / "static" / "docs"
MANIFEST = "vendor.json"
PACKAGE = "swagger-ui-dist"
LICENCE = "Apache-2.0"
FILES = (
    "LICENSE",
    "NOTICE",
    "swagger-ui-bundle.js",
    "swagger-ui-bundle.js.LICENSE.txt",
    "swagger-ui.css",
)
DOWNLOAD_SECONDS = 120


def vendor(archive: Path, version: str, folder: Path = FOLDER) -> None:
    """Write the files of a release's archive, and their manifest, into `folder`.

    Raises:
        ValueError: the archive is of another package, version or licence.
        KeyError: the archive lacks a file.
    """
    with tarfile.open(archive) as release:
        stated = json.loads(_read(release, "package.json"))
        expected = {"name": PACKAGE, "version": version, "license": LICENCE}
        for name, value in expected.items():
            if stated.get(name) != value:
                raise ValueError(f"the package's {name} is {stated.get(name)}, not {value}")
        contents = {name: _read(release, name) for name in FILES}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    manifest = {
        "package": PACKAGE,
        "version": version,
        "licence": LICENCE,
        "sha256": {name: _digest(content) for name, content in contents.items()},
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _read(release: tarfile.TarFile, name: str) -> bytes:
    member = release.extractfile(f"package/{name}")
    if member is None:
        raise KeyError(name)
    return member.read()


def main() -> int:
    """Download and vendor a release; return the exit code."""
    parser = argparse.ArgumentParser("python -m infra.docs.viewer", description=__doc__)
    parser.add_argument("version", help="the release, such as 5.35.0")
    version = parser.parse_args().version
    with tempfile.TemporaryDirectory() as temporary:
        try:
            subprocess.run(
                ["npm", "pack", "--silent", f"{PACKAGE}@{version}"],
                cwd=temporary,
                stdout=subprocess.DEVNULL,
                check=True,
                timeout=DOWNLOAD_SECONDS,
            )
            [archive] = Path(temporary).glob("*.tgz")
            vendor(archive, version)
        except (OSError, subprocess.SubprocessError, ValueError, KeyError) as error:
            print(f"✗ {PACKAGE} {version}: {error}", file=sys.stderr)
            return 1
    print(f"✓ {PACKAGE} {version} is in {FOLDER.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
