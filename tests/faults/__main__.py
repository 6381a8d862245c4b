"""`make faults`: every scenario, long, with progress and a report. Exit code 0 when every promise was kept."""

import argparse
import json
import sys
import time
from dataclasses import asdict
from typing import Any

from tests.faults.scenarios import LONG, SCENARIOS, SHORT
from tests.faults.world import World, Writers

SHOWN = 5


def main() -> int:
    """Run the scenarios; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("scenario", nargs="*", help=f"only these of: {', '.join(SCENARIOS)}")
    parser.add_argument("--short", action="store_true", help="as hard as in `make test`")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    chosen = parser.parse_args()
    scale = SHORT if chosen.short else LONG
    with World() as world:
        report = [_run(world, name, scale) for name in chosen.scenario or SCENARIOS]
    totals = {
        key: sum(one[key] for one in report) for key in ("committed", "delivered", "duplicates")
    }
    bad = [one["scenario"] for one in report if not one["good"]]
    if chosen.json:
        print(json.dumps({"scenarios": report, **totals, "bad": bad}))
    else:
        print("\n" + ", ".join(f"{count} {name}" for name, count in totals.items()))
        print(
            f"✗ broken under: {', '.join(bad)}"
            if bad
            else "✓ nothing lost or invented, no stream out of order"
        )
    return 1 if bad else 0


def _run(world: World, name: str, scale: Any) -> dict[str, Any]:
    print(f"· {name}: {(SCENARIOS[name].__doc__ or '').strip()}", file=sys.stderr, flush=True)
    started = time.monotonic()
    writers = Writers(world, threads=3, streams=300, per_second=scale.per_second)
    SCENARIOS[name](world, writers, scale)
    found = writers.settle()
    for broken in (found.lost, found.invented, found.disorder, found.parked_wrongly):
        for line in broken[:SHOWN]:
            print(f"  ✗ {line}", file=sys.stderr, flush=True)
    seconds = round(time.monotonic() - started, 1)
    mark = "✓" if found.good else "✗"
    print(
        f"  {mark} {found.committed} events, {found.duplicates} duplicates, {seconds} s",
        file=sys.stderr,
        flush=True,
    )
    return {"scenario": name, "good": found.good, "seconds": seconds, **asdict(found)}


if __name__ == "__main__":
    sys.exit(main())
