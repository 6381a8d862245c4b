"""Whether what we build on is what we mean to build on: `python -m infra.audit [--json]`, offline.

Every requirement of the lock files is pinned and hashed, none is banned, the licence of
each is one that we accept, and what runs is what was tested. Licences come from the
installed packages' own metadata.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.markers import Marker
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
RUNTIME = "requirements.txt"
DEVELOPMENT = "requirements-dev.txt"
REQUIREMENT = re.compile(
    r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)(?:\s*;\s*(?P<marker>[^\\]+))?"
)
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}\b")

ACCEPTED = {
    "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CNRI-Python", "ISC", "MIT", "MIT-0", "MPL-2.0", "PSF-2.0", "0BSD",
    "Unlicense", "Zlib",
}  # fmt: skip
"""SPDX identifiers that ask for no more than a notice, or bind their own files alone (MPL)."""

SPELLINGS = {
    "apache license": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "asl 2": "Apache-2.0",
    "bsd": "BSD-3-Clause",
    "bsd license": "BSD-3-Clause",
    "bsd 2-clause license": "BSD-2-Clause",
    "bsd 3-clause license": "BSD-3-Clause",
    "mit license": "MIT",
    "mit licence": "MIT",
    "the mit license (mit)": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "mplv2.0": "MPL-2.0",
    "python software foundation license": "PSF-2.0",
    "psfl": "PSF-2.0",
}
"""How packages spell licences that have an SPDX identifier."""

REVIEWED = {
    "crc32c": "LGPL-2.1-or-later: used unchanged, as a library of its own that anybody may replace",
    "docutils": "public domain, BSD, PSF and GPL by file: a tool's dependency, never shipped",
    "python-dateutil": "Apache-2.0 or BSD-3-Clause, as its LICENSE file says; the metadata says only: dual",
}
"""Packages whose licence a person has read, and what it says."""

BANNED = {
    "jose": "abandoned; use PyJWT or joserfc",
    "kafka": "an old name of kafka-python",
    "pycrypto": "abandoned, with known holes (CVE-2013-7459); use cryptography",
    "python-jose": "confuses algorithms (CVE-2024-33663); use PyJWT or joserfc",
}
"""Packages that must not come in, and why."""

PAGE = """\
# Licences

What runs in a function, generated from the lock file and the packages' metadata (`make fmt`). `python -m infra.audit`
checks these and the development tools. boto3, botocore and s3transfer come with Lambda's own runtime.

| package | version | licence |
| --- | --- | --- |
{rows}
"""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One line of a lock file; `marker` tells where it is installed, if not everywhere."""

    name: str
    version: str
    marker: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What an audit says of one package, and what to do."""

    package: str
    problem: str


@dataclass(frozen=True, slots=True)
class Audit:
    """The licence of each package, those that ship marked, and everything that is wrong."""

    licences: Mapping[str, str]
    runtime: Mapping[str, str]
    findings: tuple[Finding, ...]


def read_lock(text: str) -> tuple[list[Requirement], list[Finding]]:
    """Return the requirements of a lock file's `text`, and what in it is no pinned and hashed requirement."""
    found = []
    wrong = []
    joined = re.sub(r"\\\n\s*", " ", text)
    for line in (one.strip() for one in joined.splitlines()):
        if not line or line.startswith("#"):
            continue
        match = REQUIREMENT.match(line)
        if match is None:
            wrong.append(Finding(line.split()[0], "is not pinned with ==: run `make lock`"))
            continue
        name = canonicalize_name(match["name"])
        if not HASH.search(line):
            wrong.append(
                Finding(
                    name,
                    "has no hash, so that anything may be installed for it: run `make lock`",
                )
            )
        marker = re.split(r"\s--hash", match["marker"] or "")[0].strip()
        found.append(Requirement(name, match["version"], marker))
    return found, wrong


def audit(runtime: str, development: str, metadata: Callable[[str], "Metadata"]) -> Audit:
    """Audit the lock files' texts; `metadata` tells of an installed package."""
    shipped, findings = read_lock(runtime)
    tested, wrong = read_lock(development)
    findings += wrong
    versions = {(one.name, one.version) for one in tested}
    for one in shipped:
        if (one.name, one.version) not in versions:
            findings.append(
                Finding(
                    one.name,
                    f"ships as {one.version}, and is not tested so: run `make lock`",
                )
            )
    licences: dict[str, str] = {}
    for one in [*shipped, *tested]:
        if one.name in BANNED:
            findings.append(Finding(one.name, f"is banned: {BANNED[one.name]}"))
        if one.name in licences or (one.marker and not Marker(one.marker).evaluate()):
            continue
        try:
            licences[one.name] = licence(one.name, metadata(one.name))
        except (PackageNotFoundError, ValueError) as problem:
            reason = (
                "is not installed: run `make`"
                if isinstance(problem, PackageNotFoundError)
                else str(problem)
            )
            findings.append(Finding(one.name, reason))
    here = {one.name: one.version for one in shipped}
    return Audit(licences, here, tuple(dict.fromkeys(findings)))


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a package says of its licence: an SPDX expression, a free text, and classifiers."""

    expression: str = ""
    text: str = ""
    classifiers: tuple[str, ...] = ()


def installed(name: str) -> Metadata:
    """Return the metadata of an installed package.

    Raises:
        PackageNotFoundError: it is not installed.
    """
    about = distribution(name).metadata
    classifiers = [one for one in about.get_all("Classifier") or () if one.startswith("License ::")]
    named = tuple(one.rpartition("::")[2].strip() for one in classifiers)
    expression, text = (about.get_all(name) or [""] for name in ("License-Expression", "License"))
    return Metadata(expression[0], next(iter(text[0].strip().splitlines()), ""), named)


def licence(name: str, said: Metadata) -> str:
    """Return the licence of package `name`.

    Raises:
        ValueError: it is none that we accept, or none that we know; the text says what to
            do.
    """
    if name in REVIEWED:
        return REVIEWED[name]
    if said.expression:
        if _accepts(said.expression):
            return said.expression
    else:
        texts = (
            [said.text]
            if _spdx(said.text) in ACCEPTED
            else [one for one in said.classifiers if "DFSG" not in one]
        )
        if texts and all(_spdx(one) in ACCEPTED for one in texts):
            return " AND ".join(sorted({_spdx(one) for one in texts}))
    stated = said.expression or said.text or ", ".join(said.classifiers) or "nothing"
    raise ValueError(
        f"states the licence {stated!r}, which is not accepted. Read it; then choose another package, or add what it "
        "is to SPELLINGS or REVIEWED in infra/audit.py"
    )


def _spdx(text: str) -> str:
    return SPELLINGS.get(text.strip().lower(), text.strip())


def _accepts(expression: str) -> bool:
    """Tell whether some alternative of an SPDX expression without parentheses is accepted as a whole."""
    return any(
        all(_spdx(one) in ACCEPTED for one in way.split(" AND "))
        for way in expression.split(" OR ")
    )


def run(root: Path = ROOT) -> Audit:
    """Audit the lock files of `root` with what is installed."""
    return audit((root / RUNTIME).read_text(), (root / DEVELOPMENT).read_text(), installed)


def page(found: Audit) -> str:
    """Return docs/licences.md: what ships, and under which licence."""
    rows = "\n".join(
        f"| {name} | {version} | {found.licences.get(name, 'not known')} |"
        for name, version in found.runtime.items()
    )
    return PAGE.format(rows=rows)


def describe(findings: Iterable[Finding]) -> str:
    """Return the findings, one a line."""
    return "\n".join(f"✗ {one.package} {one.problem}" for one in findings)


def main() -> int:
    """Audit from the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m infra.audit", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print licences and findings as JSON")
    chosen = parser.parse_args()
    found = run()
    if chosen.json:
        print(
            json.dumps(
                {
                    "licences": found.licences,
                    "findings": [[f.package, f.problem] for f in found.findings],
                }
            )
        )
    elif found.findings:
        print(describe(found.findings), file=sys.stderr)
    return 1 if found.findings else 0


if __name__ == "__main__":
    sys.exit(main())
