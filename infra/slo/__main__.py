"""Generate rules, dashboard and tables from the objectives: `python -m infra.slo`."""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any, Final

import requests

from infra.paths import ROOT
from infra.slo import outputs, read
from infra.slo.durations import Scale
from infra.slo.read import ALERTS, OBJECTIVES, InvalidObjectives

PORT_SETTING: Final = "AETHERLINK_PROMETHEUS_PORT"
DEFAULT_PORT: Final = "19090"
RELOAD_SECONDS: Final = 5
MAX_COMPRESSED: Final = 250
"""Beyond this the shortest `for` is less than the millisecond that Prometheus knows."""


def main(arguments: list[str] | None = None) -> int:
    """Generate or check; return the exit code: 1 for stale files, 2 for invalid input."""
    options = _parser().parse_args(arguments)
    try:
        return _run(options)
    except (InvalidObjectives, ValueError) as problem:
        print(f"✗ {problem}", file=sys.stderr)
        return 2


def _run(options: argparse.Namespace) -> int:
    objectives = read.objectives(options.objectives)
    alerts = read.alerts(options.alerts)
    if options.out or options.compress > 1:
        if options.out is None or options.check:
            raise ValueError(
                "--compress needs --out DIR and excludes --check: committed rules keep real times"
            )
        files = outputs.drill(objectives, alerts, Scale(options.compress))
        outputs.write(files, options.out)
        return _say(
            options,
            {
                "written": [str(options.out / name) for name in files],
                "compress": options.compress,
            },
        )
    stale = outputs.write(outputs.committed(objectives, alerts), ROOT, check=options.check)
    if options.check:
        if stale:
            print(f"✗ out of date: {', '.join(stale)}. Run `make slo`.", file=sys.stderr)
        return int(bool(stale))
    return _say(options, {"written": stale, "reloaded": _reload()})


def _say(options: argparse.Namespace, done: dict[str, Any]) -> int:
    if options.json:
        print(json.dumps(done))
        return 0
    for name in done["written"]:
        print(f"✓ {name}")
    if not done["written"]:
        print("✓ everything is up to date")
    if done.get("reloaded"):
        print(f"✓ Prometheus at {done['reloaded']} has the rules")
    return 0


def _reload() -> str:
    """Reload the rules of a local Prometheus; return its address, empty if none runs."""
    url = f"http://127.0.0.1:{os.environ.get(PORT_SETTING) or DEFAULT_PORT}"
    try:
        answer = requests.post(f"{url}/-/reload", timeout=RELOAD_SECONDS)
    except requests.RequestException:
        return ""
    if not answer.ok:
        print(
            f"! Prometheus at {url} did not reload: {answer.text.strip()[:300]}",
            file=sys.stderr,
        )
    return url if answer.ok else ""


def _factor(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MAX_COMPRESSED:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 1 to {MAX_COMPRESSED}")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.slo", description=__doc__)
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; fail where a file is out of date",
    )
    parser.add_argument(
        "--compress",
        type=_factor,
        default=1,
        help="make every time this many times shorter (drills)",
    )
    parser.add_argument(
        "--out", type=Path, help="write rules/ and dashboards/ into this folder instead"
    )
    parser.add_argument(
        "--objectives", type=Path, default=OBJECTIVES, help="another file of objectives"
    )
    parser.add_argument("--alerts", type=Path, default=ALERTS, help="another file of alerts")
    parser.add_argument("--json", action="store_true", help="print what was done as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
