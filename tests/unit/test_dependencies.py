from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError

import pytest

from infra import dependencies, licences
from infra.licences import Metadata

HASH = "--hash=sha256:" + "a" * 64
GOOD = f"lz4==4.4.5 \\\n    {HASH} \\\n    {HASH}\n    # via us\n"
MIT = Metadata(expression="MIT")


def _findings(
    runtime: str = GOOD,
    development: str | None = None,
    stated: Mapping[str, Metadata] | None = None,
) -> list[str]:
    def metadata(name: str) -> Metadata:
        if stated is not None and name not in stated:
            raise PackageNotFoundError(name)
        return (stated or {}).get(name, MIT)

    tested = runtime if development is None else development
    report = dependencies.check(runtime, tested, metadata)
    return dependencies.describe(report.findings).splitlines()


def test_our_own_dependencies_pass() -> None:
    report = dependencies.run()
    assert not report.findings, dependencies.describe(report.findings)
    assert len(report.licences) > len(report.runtime) > 10


def test_a_pinned_and_hashed_package_with_an_accepted_licence_passes() -> None:
    assert _findings() == []


@pytest.mark.parametrize(
    "line", ["lz4>=4 \\\n  " + HASH, "lz4", "-e .", "git+https://example.com/lz4"]
)
def test_a_requirement_that_is_not_pinned_is_reported(line: str) -> None:
    assert "not pinned" in _findings(line)[0]


@pytest.mark.parametrize(
    "line", ["lz4==4.4.5", "lz4==4.4.5 \\\n    --hash=md5:abc", f"lz4==4.4.5\n# {HASH}"]
)
def test_a_requirement_without_a_hash_is_reported(line: str) -> None:
    assert "no hash" in _findings(line)[0]


def test_a_package_that_ships_in_an_untested_version_is_reported() -> None:
    assert "ships as 4.4.5" in _findings(development=GOOD.replace("4.4.5", "4.4.4"))[0]
    assert "ships as 4.4.5" in _findings(development="")[0]


@pytest.mark.parametrize("name", ["pycrypto", "Python_Jose"])
def test_a_banned_package_is_reported_in_any_spelling(name: str) -> None:
    assert "is banned" in _findings(GOOD.replace("lz4", name))[0]


@pytest.mark.parametrize(
    "stated",
    [
        Metadata(),
        Metadata(expression="GPL-3.0-only"),
        Metadata(expression="MIT AND GPL-3.0-only"),
        Metadata(text="Proprietary"),
        Metadata(
            text="see LICENSE",
            classifiers=("MIT License", "GNU General Public License (GPL)"),
        ),
    ],
)
def test_a_licence_that_is_not_accepted_is_reported_with_what_to_do(stated: Metadata) -> None:
    finding = _findings(stated={"lz4": stated})[0]
    assert "not accepted" in finding
    assert "REVIEWED" in finding


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        (Metadata(expression="GPL-3.0-only OR MIT"), "GPL-3.0-only OR MIT"),
        (Metadata(expression="Apache-2.0 AND CNRI-Python"), "Apache-2.0 AND CNRI-Python"),
        (
            Metadata(text="Apache License 2.0", classifiers=("Something else",)),
            "Apache-2.0",
        ),
        (
            Metadata(text="Dual", classifiers=("MIT License", "BSD License")),
            "BSD-3-Clause AND MIT",
        ),
    ],
)
def test_a_licence_is_written_in_spdx_identifiers(stated: Metadata, expected: str) -> None:
    assert licences.licence("x", stated) == expected


def test_a_package_that_is_not_installed_is_reported_only_where_it_is_needed() -> None:
    assert "not installed" in _findings(stated={})[0]
    elsewhere = GOOD.replace("4.4.5 ", "4.4.5 ; sys_platform == 'nowhere' ")
    assert _findings(elsewhere, stated={}) == []
