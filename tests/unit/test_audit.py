from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError

import pytest

from infra import dependencies
from infra.dependencies import Metadata

HASH = "--hash=sha256:" + "a" * 64
GOOD = f"lz4==4.4.5 \\\n    {HASH} \\\n    {HASH}\n    # via us\n"
MIT = Metadata(expression="MIT")


def _findings(
    runtime: str = GOOD,
    development: str | None = None,
    said: Mapping[str, Metadata] | None = None,
) -> list[str]:
    def metadata(name: str) -> Metadata:
        if said is not None and name not in said:
            raise PackageNotFoundError(name)
        return (said or {}).get(name, MIT)

    found = dependencies.audit(runtime, runtime if development is None else development, metadata)
    return dependencies.describe(found.findings).splitlines()


def test_our_own_dependencies_are_as_they_should_be() -> None:
    found = dependencies.run()
    assert not found.findings, dependencies.describe(found.findings)
    assert len(found.licences) > len(found.runtime) > 10


def test_a_pinned_and_hashed_package_of_a_known_licence_is_fine() -> None:
    assert _findings() == []


@pytest.mark.parametrize(
    "line", ["lz4>=4 \\\n  " + HASH, "lz4", "-e .", "git+https://example.com/lz4"]
)
def test_what_is_not_pinned_is_found(line: str) -> None:
    assert "not pinned" in _findings(line)[0]


@pytest.mark.parametrize(
    "line", ["lz4==4.4.5", "lz4==4.4.5 \\\n    --hash=md5:abc", f"lz4==4.4.5\n# {HASH}"]
)
def test_what_has_no_hash_is_found(line: str) -> None:
    assert "no hash" in _findings(line)[0]


def test_what_ships_in_another_version_than_was_tested_is_found() -> None:
    assert "ships as 4.4.5" in _findings(development=GOOD.replace("4.4.5", "4.4.4"))[0]
    assert "ships as 4.4.5" in _findings(development="")[0]


@pytest.mark.parametrize("name", ["pycrypto", "Python_Jose"])
def test_what_is_banned_is_found_however_it_is_spelt(name: str) -> None:
    assert "is banned" in _findings(GOOD.replace("lz4", name))[0]


@pytest.mark.parametrize(
    "said",
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
def test_a_licence_that_is_not_accepted_is_found_with_what_to_do(said: Metadata) -> None:
    found = _findings(said={"lz4": said})
    assert "not accepted" in found[0]
    assert "REVIEWED" in found[0]


@pytest.mark.parametrize(
    ("said", "wanted"),
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
def test_a_licence_is_told_as_spdx_has_it(said: Metadata, wanted: str) -> None:
    assert dependencies.licence("x", said) == wanted


def test_what_is_not_installed_is_found_unless_this_machine_needs_none() -> None:
    assert "not installed" in _findings(said={})[0]
    elsewhere = GOOD.replace("4.4.5 ", "4.4.5 ; sys_platform == 'nowhere' ")
    assert _findings(elsewhere, said={}) == []
