"""Checks the dependencies, without a network: `python -m infra.dependencies [--json]`.

Every requirement of the lock files is pinned and hashed, none is banned, each has an
accepted licence, and the versions that are deployed are the versions that are tested.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from pathlib import Path

from packaging.markers import Marker
from packaging.utils import canonicalize_name

from infra.licences import Metadata, installed, licence
from infra.paths import ROOT

RUNTIME = "requirements.txt"
DEVELOPMENT = "requirements-dev.txt"
REQUIREMENT = re.compile(
    r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)(?:\s*;\s*(?P<marker>[^\\]+))?"
)
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}\b")

BANNED = {
    "jose": "abandoned; use PyJWT or joserfc",
    "kafka": "an old name of kafka-python",
    "pycrypto": "abandoned, with known holes (CVE-2013-7459); use cryptography",
    "python-jose": "confuses algorithms (CVE-2024-33663); use PyJWT or joserfc",
}
"""Packages that must not be used, and why."""

PAGE = """\
# Licences

The packages that are deployed, and their licences. `make fmt` generates this page from the
lock file and the packages' metadata; `python -m infra.dependencies` checks these packages and
the development tools. boto3, botocore and s3transfer come with Lambda's runtime.
The page at /docs is Swagger UI (Apache-2.0); its licence and notice are in
`chalicelib/static/docs`.

| package | version | licence |
| --- | --- | --- |
{rows}
"""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One requirement of a lock file; `marker` limits where it is installed."""

    name: str
    version: str
    marker: str

    def applies(self) -> bool:
        """Return whether this machine needs it."""
        return not self.marker or Marker(self.marker).evaluate()


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a package, and what to do."""

    package: str
    problem: str


@dataclass(frozen=True, slots=True)
class Report:
    """Licences by package, versions by deployed package, and everything that is wrong."""

    licences: Mapping[str, str]
    runtime: Mapping[str, str]
    findings: tuple[Finding, ...]


def read_lock(text: str) -> tuple[list[Requirement], list[Finding]]:
    """Return a lock file's requirements, and what is not pinned or has no hash."""
    requirements = []
    findings = []
    joined = re.sub(r"\\\n\s*", " ", text)
    for line in (line.strip() for line in joined.splitlines()):
        if not line or line.startswith("#"):
            continue
        match = REQUIREMENT.match(line)
        if match is None:
            name = line.split()[0]
            findings.append(Finding(name, "is not pinned with ==: run `make lock`"))
            continue
        name = canonicalize_name(match["name"])
        if not HASH.search(line):
            findings.append(
                Finding(name, "has no hash, so its content may change: run `make lock`")
            )
        marker = re.split(r"\s--hash", match["marker"] or "")[0].strip()
        requirements.append(Requirement(name, match["version"], marker))
    return requirements, findings


def check(runtime: str, development: str, metadata: Callable[[str], Metadata]) -> Report:
    """Check the texts of both lock files.

    `metadata` returns what an installed package states, and raises PackageNotFoundError.
    """
    shipped, findings = read_lock(runtime)
    tested, development_findings = read_lock(development)
    findings += development_findings
    findings += _untested(shipped, tested)
    licences: dict[str, str] = {}
    for requirement in [*shipped, *tested]:
        name = requirement.name
        if name in BANNED:
            findings.append(Finding(name, f"is banned: {BANNED[name]}"))
        if name in licences or not requirement.applies():
            continue
        try:
            licences[name] = licence(name, metadata(name))
        except PackageNotFoundError:
            findings.append(Finding(name, "is not installed: run `make up`"))
        except ValueError as error:
            findings.append(Finding(name, str(error)))
    versions = {requirement.name: requirement.version for requirement in shipped}
    return Report(licences, versions, tuple(dict.fromkeys(findings)))


def _untested(shipped: Iterable[Requirement], tested: Iterable[Requirement]) -> list[Finding]:
    versions = {(requirement.name, requirement.version) for requirement in tested}
    return [
        Finding(
            requirement.name,
            f"ships as {requirement.version}, and is not tested so: run `make lock`",
        )
        for requirement in shipped
        if (requirement.name, requirement.version) not in versions
    ]


def run(root: Path = ROOT) -> Report:
    """Check the lock files of `root` against what is installed."""
    return check((root / RUNTIME).read_text(), (root / DEVELOPMENT).read_text(), installed)


def page(report: Report) -> str:
    """Return docs/licences.md: the deployed packages and their licences."""
    rows = "\n".join(
        f"| {name} | {version} | {report.licences.get(name, 'unknown')} |"
        for name, version in report.runtime.items()
    )
    return PAGE.format(rows=rows)


def describe(findings: Iterable[Finding]) -> str:
    """Return the findings, one a line."""
    return "\n".join(f"✗ {finding.package} {finding.problem}" for finding in findings)


def main() -> int:
    """Check from the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m infra.dependencies", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    arguments = parser.parse_args()
    report = run()
    if arguments.json:
        findings = [[finding.package, finding.problem] for finding in report.findings]
        print(json.dumps({"licences": report.licences, "findings": findings}))
    elif report.findings:
        print(describe(report.findings), file=sys.stderr)
    return 1 if report.findings else 0


if __name__ == "__main__":
    sys.exit(main())
