"""The vendored viewer of /docs: the files are those of the release that the manifest names."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from chalicelib.entrypoints.about import ASSETS
from infra.docs import viewer

MANIFEST = json.loads((viewer.FOLDER / viewer.MANIFEST).read_text())


def test_each_vendored_file_has_the_digest_of_its_release() -> None:
    assert set(MANIFEST["sha256"]) == set(viewer.FILES)
    for name, digest in MANIFEST["sha256"].items():
        assert hashlib.sha256((viewer.FOLDER / name).read_bytes()).hexdigest() == digest, name


def test_the_page_serves_the_vendored_files_with_their_licences() -> None:
    assert set(viewer.FILES) <= set(ASSETS)
    assert "Apache License" in (viewer.FOLDER / "LICENSE").read_text()


def _archive(path: Path, **stated: str) -> Path:
    package = {"name": viewer.PACKAGE, "version": "9.9.9", "license": "Apache-2.0", **stated}
    with tarfile.open(path, "w:gz") as release:
        for name in ("package.json", *viewer.FILES):
            content = json.dumps(package) if name == "package.json" else f"new {name}"
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(content)
            release.addfile(member, io.BytesIO(content.encode()))
    return path


def test_vendoring_a_release_writes_its_files_and_their_digests(tmp_path: Path) -> None:
    viewer.vendor(_archive(tmp_path / "release.tgz"), "9.9.9", tmp_path)
    manifest = json.loads((tmp_path / viewer.MANIFEST).read_text())
    assert manifest["version"] == "9.9.9"
    for name in viewer.FILES:
        content = (tmp_path / name).read_bytes()
        assert content == f"new {name}".encode()
        assert manifest["sha256"][name] == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("stated", [{"name": "other"}, {"version": "1.0.0"}, {"license": "GPL"}])
def test_an_archive_of_another_package_version_or_licence_changes_nothing(
    tmp_path: Path, stated: dict[str, str]
) -> None:
    with pytest.raises(ValueError, match="the package's"):
        viewer.vendor(_archive(tmp_path / "release.tgz", **stated), "9.9.9", tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["release.tgz"]
