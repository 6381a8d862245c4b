"""Ask a deployment whether it is ready: `python -m infra.readiness`, or `make readiness` for the local stack.

Of another one, say where it is: --api, --prometheus, --alertmanager, --stage and a token
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
from infra.paths import ROOT
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
LONGEST_WAIT = 600.0


def main(arguments: list[str] | None = None) -> int:
    """Ask; return the exit code: 0 nothing failed, 1 something did, 2 there was nobody to ask."""
    chosen = _parser().parse_args(arguments)
    target = _elsewhere(chosen) if chosen.api else _here(chosen)
    if isinstance(target, str):
        print(f"✗ {target}", file=sys.stderr)
        return 2
    found = run_until(
        CHECKS,
        target,
        min(chosen.wait, LONGEST_WAIT),
        lambda line: print(line, file=sys.stderr, flush=True),
    )
    failed = [one for one in found if one.state is State.FAIL]
    if chosen.json:
        print(json.dumps({"ready": not failed, "checks": [one.shown() for one in found]}))
    else:
        print("\n".join(_table(found)))
        said = f"✗ not ready: {len(failed)} of {len(found)} checks failed" if failed else "✓ ready"
        print(f"\n{said}")
    return 1 if failed else 0


def _table(found: list[Finding]) -> list[str]:
    lines = []
    for one in found:
        lines.append(f"{MARKS[one.state]} {one.name:14} {one.asks:52} {one.found}")
        if one.remedy:
            lines.append(f"  {'':14} remedy: {one.remedy}")
    return lines


def _here(chosen: argparse.Namespace) -> Target | str:
    stack = Stack(chosen.home.resolve(), Ports.from_env())
    if not stack.status()["api"]:
        return "the local stack is not up: run `make up`, or say --api"
    if not stack.issuer.running():
        return "the local issuer of tokens does not run: run `make up`"
    return Target.of_stack(stack, live=chosen.live)


def _elsewhere(chosen: argparse.Namespace) -> Target | str:
    token = os.environ.get("AETHERLINK_TOKEN", "")
    missing = [
        name for name in ("prometheus", "alertmanager", "stage") if not getattr(chosen, name)
    ]
    if missing:
        return f"say where the rest is: {', '.join(f'--{name}' for name in missing)}"
    if not token:
        return "set AETHERLINK_TOKEN to a token with the role ops"
    return Target(
        api=chosen.api,
        token=token,
        prometheus=chosen.prometheus.rstrip("/"),
        alertmanager=chosen.alertmanager.rstrip("/"),
        database=os.environ.get("OWNER_DATABASE_URL", ""),
        settings=from_env(),
        aws=_client,
        stage=chosen.stage,
        live=chosen.live,
    )


def _client(service_name: str) -> Any:
    return boto3.client(service_name)  # type: ignore[call-overload]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m infra.readiness",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")
    parser.add_argument(
        "--live",
        action="store_true",
        help="the healer has to act, not only to say what it would do",
    )
    parser.add_argument(
        "--wait", type=float, default=0.0, help="ask again what failed, for so many seconds"
    )
    parser.add_argument("--api", help="another deployment's API")
    parser.add_argument("--prometheus", help="its Prometheus")
    parser.add_argument("--alertmanager", help="its Alertmanager")
    parser.add_argument("--stage", help="its stage")
    parser.add_argument(
        "--home",
        type=Path,
        default=ROOT / ".local",
        help="where the local stack's state is kept",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
