"""Check whether a deployment is ready: `python -m infra.readiness`, or `make readiness`.

For another one, give its addresses: --api, --prometheus, --alertmanager, --stage and a token
with the role ops in AETHERLINK_TOKEN; its settings (Kafka, OWNER_DATABASE_URL) and AWS
credentials come from the environment.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

import boto3

from chalicelib.config.reader import from_env
from infra.local.ports import Ports
from infra.local.stack import Stack
from infra.local.starts import Interrupted, interruptible
from infra.paths import HOME
from infra.readiness import cloud, data, routing, service, switches, watching
from infra.readiness.check import Finding, State, run_until
from infra.readiness.target import Target

CHECKS = (
    *service.CHECKS,
    *switches.CHECKS,
    *watching.CHECKS,
    *routing.CHECKS,
    *data.CHECKS,
    *cloud.CHECKS,
)
MARKS = {State.OK: "✓", State.FAIL: "✗", State.SKIP: "·"}
MAX_WAIT_SECONDS = 600.0


def main(arguments: list[str] | None = None) -> int:
    """Check; return the exit code: 0 nothing failed, 1 something did, 2 nothing to check.

    It is 128 and the number of the signal where one interrupted it.
    """
    options = _parser().parse_args(arguments)
    try:
        with interruptible():
            return _check(options)
    except Interrupted as interruption:
        print(f"\n✗ interrupted by {interruption}", file=sys.stderr)
        return interruption.code


def _check(options: argparse.Namespace) -> int:
    target = _elsewhere(options) if options.api else _here(options)
    if isinstance(target, str):
        print(f"✗ {target}", file=sys.stderr)
        return 2
    findings = run_until(
        CHECKS,
        target,
        min(options.wait, MAX_WAIT_SECONDS),
        lambda line: print(line, file=sys.stderr, flush=True),
    )
    failed = [finding for finding in findings if finding.state is State.FAIL]
    if options.json:
        print(
            json.dumps({"ready": not failed, "checks": [finding.to_dict() for finding in findings]})
        )
    else:
        print("\n".join(_table(findings)))
        verdict = (
            f"✗ not ready: {len(failed)} of {len(findings)} checks failed" if failed else "✓ ready"
        )
        print(f"\n{verdict}")
    return 1 if failed else 0


def _table(findings: list[Finding]) -> list[str]:
    lines = []
    for finding in findings:
        mark = MARKS[finding.state]
        lines.append(f"{mark} {finding.name:14} {finding.asks:52} {finding.found}")
        if finding.remedy:
            lines.append(f"  {'':14} remedy: {finding.remedy}")
    return lines


def _here(options: argparse.Namespace) -> Target | str:
    stack = Stack(options.home.resolve(), Ports.from_env())
    if not stack.status()["api"]:
        return "the local stack is not up: run `make up`, or pass --api"
    if not stack.issuer.running():
        return "the local token issuer does not run: run `make up`"
    return Target.of_stack(stack, live=options.live)


def _elsewhere(options: argparse.Namespace) -> Target | str:
    token = os.environ.get("AETHERLINK_TOKEN", "")
    missing = [
        name for name in ("prometheus", "alertmanager", "stage") if not getattr(options, name)
    ]
    if missing:
        return f"also required: {', '.join(f'--{name}' for name in missing)}"
    if not token:
        return "set AETHERLINK_TOKEN to a token with the role ops"
    return Target(
        api=options.api,
        token=token,
        prometheus=options.prometheus.rstrip("/"),
        alertmanager=options.alertmanager.rstrip("/"),
        database=os.environ.get("OWNER_DATABASE_URL", ""),
        settings=from_env(),
        aws=_client,
        stage=options.stage,
        live=options.live,
    )


def _client(service_name: str) -> Any:
    return boto3.client(service_name)  # type: ignore[call-overload]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m infra.readiness",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.add_argument(
        "--live",
        action="store_true",
        help="fail unless the healer's mode is live",
    )
    parser.add_argument(
        "--wait", type=float, default=0.0, help="retry failed checks for so many seconds"
    )
    parser.add_argument("--api", help="another deployment's API")
    parser.add_argument("--prometheus", help="its Prometheus")
    parser.add_argument("--alertmanager", help="its Alertmanager")
    parser.add_argument("--stage", help="its stage")
    parser.add_argument(
        "--home",
        type=Path,
        default=HOME,
        help="where the local stack's state is kept",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
