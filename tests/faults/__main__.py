"""`make faults`: runs every scenario for long, with progress and a report.

The exit code is 0 if every guarantee was kept.
"""

import argparse
import json
import sys
import time
from dataclasses import asdict
from typing import Any

from tests.faults.scenarios import LONG, SCENARIOS, SHORT, Scale
from tests.faults.world import World
from tests.faults.writers import Writers

MAX_SHOWN = 5


def main() -> int:
    """Run the scenarios; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("scenario", nargs="*", help=f"only these of: {', '.join(SCENARIOS)}")
    parser.add_argument("--short", action="store_true", help="as short as in `make test`")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    arguments = parser.parse_args()
    scale = SHORT if arguments.short else LONG
    with World() as world:
        report = [_run(world, name, scale) for name in arguments.scenario or SCENARIOS]
    totals = {
        key: sum(result[key] for result in report)
        for key in ("committed", "delivered", "duplicates")
    }
    bad = [result["scenario"] for result in report if not result["good"]]
    if arguments.json:
        print(json.dumps({"scenarios": report, **totals, "bad": bad}))
    else:
        print("\n" + ", ".join(f"{count} {name}" for name, count in totals.items()))
        print(
            f"✗ broken under: {', '.join(bad)}"
            if bad
            else "✓ nothing lost or invented, no stream out of order"
        )
    return 1 if bad else 0


def _run(world: World, name: str, scale: Scale) -> dict[str, Any]:
    print(f"· {name}: {(SCENARIOS[name].__doc__ or '').strip()}", file=sys.stderr, flush=True)
    started = time.monotonic()
    writers = Writers(world, threads=3, streams=300, per_second=scale.per_second)
    SCENARIOS[name](world, writers, scale)
    findings = writers.settle()
    for violations in (
        findings.lost,
        findings.invented,
        findings.disorder,
        findings.parked_wrongly,
    ):
        for line in violations[:MAX_SHOWN]:
            print(f"  ✗ {line}", file=sys.stderr, flush=True)
    seconds = round(time.monotonic() - started, 1)
    mark = "✓" if findings.good else "✗"
    print(
        f"  {mark} {findings.committed} events, {findings.duplicates} duplicates, {seconds} s",
        file=sys.stderr,
        flush=True,
    )
    return {"scenario": name, "good": findings.good, "seconds": seconds, **asdict(findings)}


if __name__ == "__main__":
    sys.exit(main())
