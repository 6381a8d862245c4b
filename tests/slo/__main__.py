"""Write promtool's test files from the scenarios: `python -m tests.slo [--check]`."""

import argparse
import sys

from infra.paths import ROOT
from infra.slo import outputs, text
from tests.slo.scenarios import SUITES

SOURCE = "tests/slo/scenarios"
FOLDER = "infra/prometheus/tests"


def rule_tests() -> dict[str, str]:
    """Return promtool's test files by their path from the repository's root."""
    return {f"{FOLDER}/{suite.name}.yml": text.dump(suite.test(), SOURCE) for suite in SUITES}


def main(arguments: list[str] | None = None) -> int:
    """Write what differs, or only check; return the exit code: 1 for files that are out of date."""
    parser = argparse.ArgumentParser(prog="python -m tests.slo", description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail where a file is out of date"
    )
    options = parser.parse_args(arguments)
    stale = outputs.write(rule_tests(), ROOT, check=options.check)
    if options.check and stale:
        print(f"✗ out of date: {', '.join(stale)}. Run `make slo`.", file=sys.stderr)
        return 1
    for name in stale:
        print(f"✓ {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
