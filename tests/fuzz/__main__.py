"""Fuzz the deployed API with requests from its OpenAPI document, and report the result."""

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

from chalicelib.security.identity import Role
from infra.local.errors import ServiceFailed
from infra.local.ports import Ports
from infra.local.stack import Stack
from tests.fuzz.run import Report, fuzz


def main() -> int:
    """Deploy to a separate stack, fuzz it, and tear it down; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument(
        "--examples",
        type=int,
        default=250,
        help="examples for each operation in each phase",
    )
    parser.add_argument("--seed", type=int, help="repeat the run with this seed")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    arguments = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="aetherlink-fuzz-"))
    home.chmod(0o711)
    stack = Stack(
        home,
        Ports.free(),
        fast=True,
        say=lambda line: print(line, file=sys.stderr, flush=True),
    )
    try:
        api = stack.up()
        print("· fuzzing", file=sys.stderr, flush=True)
        token = stack.issuer.token(Role.ADMIN)  # of the operator tenant, which may call every route
        report = fuzz(api, token, examples=arguments.examples, home=home, seed=arguments.seed)
    except ServiceFailed as problem:
        print(problem, file=sys.stderr)
        return 1
    finally:
        stack.down()
        shutil.rmtree(home, ignore_errors=True)
    if arguments.json:
        summary = {"passed": report.passed, "cases": report.cases, "answers": report.answers}
        print(json.dumps(summary))
    else:
        _print(report)
    return 0 if report.passed else 1


def _print(report: Report) -> None:
    for operation, answers in sorted(report.answers.items()):
        counts = ", ".join(f"{count} x {status}" for status, count in sorted(answers.items()))
        print(f"  {operation:40} {counts}")
    mark = "✓" if report.passed else "✗"
    print(f"{mark} {report.cases} requests, {len(report.answers)} operations")
    if not report.passed:
        print(report.output)


if __name__ == "__main__":
    sys.exit(main())
