"""`python -m infra.ops audit export`: the whole audit log, or a part of it, into a file; a page in memory at a time."""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from chalicelib.autoheal.audit import AuditPage, AuditQuery, Kind, as_csv
from chalicelib.bootstrap import container

PAGE_EVENTS = 1_000
TELL_SECONDS = 2.0
FORMATS = ("csv", "jsonl")


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Add what can be done."""
    commands = parser.add_subparsers(dest="act", required=True)
    export = commands.add_parser("export", help="write events into a file, newest first")
    export.add_argument("--format", choices=FORMATS, default=FORMATS[0])
    export.add_argument("--out", default="-", help="the file, or - for standard output")
    export.add_argument("--since", type=_moment, help="RFC 3339, such as 2030-01-31T09:00:00Z")
    export.add_argument(
        "--until", type=_moment, help="as --since; events at that time are left out"
    )
    export.add_argument("--kind", choices=[str(kind) for kind in Kind])
    export.add_argument("--alertname")
    export.add_argument("--contains", help="any part of an event's JSON")


def run(chosen: argparse.Namespace) -> dict[str, Any]:
    """Export; return how many events went where."""
    query = AuditQuery(
        limit=PAGE_EVENTS,
        since=chosen.since,
        until=chosen.until,
        kind=chosen.kind,
        alertname=chosen.alertname,
        contains=chosen.contains,
    )
    if chosen.out == "-":
        return {
            "events": write(query, chosen.format, sys.stdout),
            "file": "standard output",
        }
    whole = Path(chosen.out)
    part = Path(f"{chosen.out}.part")
    with part.open("w", encoding="utf-8", newline="") as out:
        events = write(query, chosen.format, out)
    part.replace(whole)
    return {"events": events, "file": str(whole)}


def write(query: AuditQuery, form: str, out: TextIO) -> int:
    """Write what `query` finds to `out`, page after page; return how many events."""
    written = 0
    told = time.monotonic()
    if form == "csv":
        out.write(as_csv(()))
    for page in pages(query):
        if form == "csv":
            out.write(as_csv(page.events, header=False))
        else:
            out.writelines(
                json.dumps(event.to_dict(), ensure_ascii=False) + "\n" for event in page.events
            )
        written += len(page.events)
        if page.following and time.monotonic() - told >= TELL_SECONDS:
            told = time.monotonic()
            print(
                f"· {written:,} events, back to {page.following.time:%Y-%m-%d %H:%M}",
                file=sys.stderr,
            )
    return written


def pages(query: AuditQuery) -> Iterator[AuditPage]:
    """Return page after page of what `query` finds."""
    audit = container().autoheal.dependencies.audit
    now = container().clock.now()
    while True:
        page = audit.find(query, now)
        yield page
        if page.following is None:
            return
        query = replace(query, after=page.following)


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text.upper())
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise argparse.ArgumentTypeError("no RFC 3339 time such as 2030-01-31T09:00:00Z")
    return found
