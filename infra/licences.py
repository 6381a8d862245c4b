"""The licence of an installed package, in SPDX identifiers, if it is acceptable."""

from dataclasses import dataclass
from importlib.metadata import distribution

ACCEPTED = {
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CNRI-Python",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "PSF-2.0",
    "Unlicense",
    "Zlib",
}
"""SPDX identifiers of licences that ask for a notice at most, or cover only their files."""

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
"""How packages write licences that have an SPDX identifier, in lower case."""

REVIEWED = {
    "crc32c": "LGPL-2.1-or-later: used unchanged, as a library that anyone can replace",
    "docutils": "public domain, BSD, PSF and GPL by file: needed by a tool, never shipped",
    "isoduration": "ISC, by its LICENSE file; needed by a tool, never shipped",
    "python-dateutil": "Apache-2.0 or BSD-3-Clause, by its LICENSE file; the metadata: dual",
}
"""Packages whose licence a person has read, and what it is."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a package states: an SPDX expression, a text, and its licence classifiers."""

    expression: str = ""
    text: str = ""
    classifiers: tuple[str, ...] = ()


def installed(name: str) -> Metadata:
    """Return the metadata of an installed package.

    Raises:
        PackageNotFoundError: the package is not installed.
    """
    fields = distribution(name).metadata
    expression = (fields.get_all("License-Expression") or [""])[0]
    text = (fields.get_all("License") or [""])[0].strip()
    classifiers = tuple(
        classifier.rpartition("::")[2].strip()
        for classifier in fields.get_all("Classifier") or ()
        if classifier.startswith("License ::")
    )
    return Metadata(expression, text.partition("\n")[0], classifiers)


def licence(name: str, metadata: Metadata) -> str:
    """Return the licence of package `name`.

    Raises:
        ValueError: the licence is unknown or not accepted; the text says what to do.
    """
    if name in REVIEWED:
        return REVIEWED[name]
    if metadata.expression:
        if _accepts(metadata.expression):
            return metadata.expression
    else:
        identifiers = {_spdx(text) for text in _statements(metadata)}
        if identifiers and identifiers <= ACCEPTED:
            return " AND ".join(sorted(identifiers))
    classifiers = ", ".join(metadata.classifiers)
    stated = metadata.expression or metadata.text or classifiers or "nothing"
    raise ValueError(
        f"states the licence {stated!r}, which is not accepted. Read it; then choose another "
        "package, or add its licence to SPELLINGS or REVIEWED in infra/licences.py"
    )


def _statements(metadata: Metadata) -> list[str]:
    """Return the free text where it names an accepted licence, else the classifiers."""
    if _spdx(metadata.text) in ACCEPTED:
        return [metadata.text]
    return [text for text in metadata.classifiers if "DFSG" not in text]


def _spdx(text: str) -> str:
    return SPELLINGS.get(text.strip().lower(), text.strip())


def _accepts(expression: str) -> bool:
    """Return whether an alternative of an SPDX expression without parentheses is accepted."""
    return any(
        all(_spdx(term) in ACCEPTED for term in alternative.split(" AND "))
        for alternative in expression.split(" OR ")
    )
