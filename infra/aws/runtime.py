"""The machine that a bundle is built for: Python, processor, and C library.

Chalice takes the functions' Runtime from the Python that runs it, and byte code fits one
version only. So the wheels, the byte code and the Runtime are all those of the running
Python. Lambda's python3.11 runs on Amazon Linux 2 with glibc 2.26, python3.12 and newer on
Amazon Linux 2023 with glibc 2.34: a wheel that needs a newer one can be installed, and fails
when it is first imported.
"""

import sys
from dataclasses import dataclass
from typing import Final

from infra.aws.steps import PackagingFailed

OLDEST: Final = (3, 11)
NEWEST: Final = (3, 14)
ARCHITECTURES: Final = {"x86_64": "x86_64", "arm64": "aarch64"}
"""Lambda's names of the processors, and those of wheels."""
AMAZON_LINUX_2: Final = ("manylinux2014", (2, 26))
AMAZON_LINUX_2023: Final = ("manylinux_2_34", (2, 34))


@dataclass(frozen=True, slots=True)
class Runtime:
    """What a bundle is built for.

    Attributes:
        python: the version, e.g. `3.13`.
        architecture: Lambda's name of the processor; empty is this machine's own.
        platform: the wheels' platform as uv names it; empty is this very machine.
        glibc: the newest version of the C library that an extension may need; None is any.
    """

    python: str
    architecture: str = ""
    platform: str = ""
    glibc: tuple[int, int] | None = None

    @property
    def key(self) -> str:
        """Return what distinguishes this runtime's bundle from another's."""
        return f"{self.python} {self.platform or sys.platform}"


def for_stage(stage: str, architecture: str = "x86_64") -> Runtime:
    """Return the runtime of `stage`: this machine for stage local, else Lambda's.

    Raises:
        PackagingFailed: Lambda has no runtime for this Python, or no such processor.
    """
    version = sys.version_info[:2]
    python = f"{version[0]}.{version[1]}"
    if not OLDEST <= version <= NEWEST:
        raise PackagingFailed(
            f"Python {python} cannot build the bundle: 3.{OLDEST[1]} to 3.{NEWEST[1]} can.\n"
            "remedy: `make clean`, then run make with PYTHON=python3.13"
        )
    if stage == "local":
        return Runtime(python)
    if architecture not in ARCHITECTURES:
        raise PackagingFailed(
            f"There is no architecture {architecture!r}. Choose one of {', '.join(ARCHITECTURES)}."
        )
    platform, glibc = AMAZON_LINUX_2 if version < (3, 12) else AMAZON_LINUX_2023
    return Runtime(python, architecture, f"{ARCHITECTURES[architecture]}-{platform}", glibc)
