"""Drill the local stack: `python -m infra.drill`, or `make drill`."""

import argparse
import json
import sys
import time
from pathlib import Path

import requests

from infra.drill import drill, page
from infra.drill.verdict import Broken
from infra.local.errors import ServiceFailed
from infra.local.ports import Ports
from infra.local.stack import Stack
from infra.local.starts import Interrupted, Starts
from infra.paths import HOME
from infra.slo.__main__ import MAX_COMPRESSED


def main(arguments: list[str] | None = None) -> int:
    """Drill; return the exit code: 0 every link held, 1 one broke, 2 the drill could not run."""
    options = _parser().parse_args(arguments)
    out = sys.stderr if options.json else sys.stdout
    stack = Stack(
        options.home.resolve(),
        Ports.from_env(),
        say=lambda line: print(line, file=out, flush=True),
    )
    started = time.monotonic()
    starts = Starts()
    try:
        api = stack.status()["api"] or starts.run(stack.up)
        plan = drill.Plan(options.compress, tuple(options.act or drill.ACTS), options.keep_mode)
        report = drill.run(stack, api, plan, say=lambda line: print(line, file=out, flush=True))
    except (ServiceFailed, drill.AnotherDrill, Broken, requests.RequestException) as problem:
        print(f"✗ {problem}", file=sys.stderr)
        return 2
    except Interrupted:
        starts.stop()  # nothing, where the stack was up before
        raise
    where = options.report or stack.home / drill.FOLDER / "report.html"
    where.parent.mkdir(parents=True, exist_ok=True)
    where.write_text(page.page(report))
    where.with_suffix(".json").write_text(json.dumps(report.to_dict(), indent=1))
    print(
        f"\n{report.verdict.text()} ({time.monotonic() - started:.0f} s)\n  report: {where}",
        file=out,
    )
    if options.json:
        print(json.dumps(report.to_dict()))
    return 0 if report.verdict.passed else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.drill", description=__doc__)
    parser.add_argument(
        "--compress",
        type=_factor,
        default=drill.COMPRESS,
        help="how many times faster than real",
    )
    parser.add_argument(
        "--act",
        type=int,
        action="append",
        choices=drill.ACTS,
        help="only this act; may be repeated",
    )
    parser.add_argument("--keep-mode", action="store_true", help="leave the healer's mode as it is")
    parser.add_argument(
        "--report", type=Path, help="where the page goes; the same as JSON beside it"
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="print the report as JSON, progress on standard error",
    )
    parser.add_argument("--home", type=Path, default=HOME, help="where the stack's state is kept")
    return parser


def _factor(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MAX_COMPRESSED:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 1 to {MAX_COMPRESSED}")
    return int(text)
