"""`python -m infra.ops audit export`: writes the audit log, or a part of it, to a file.

Only one page is in memory at a time.
"""

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
PROGRESS_SECONDS = 2.0
FORMATS = ("csv", "jsonl")


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Add the commands and their options to `parser`."""
    commands = parser.add_subparsers(dest="action", required=True)
    export = commands.add_parser("export", help="write events to a file, newest first")
    export.add_argument("--format", choices=FORMATS, default=FORMATS[0])
    export.add_argument("--out", default="-", help="the file, or - for standard output")
    export.add_argument(
        "--since", type=_time, help="events at or after this time: 2030-01-31T09:00:00Z"
    )
    export.add_argument("--until", type=_time, help="events before this time")
    export.add_argument("--kind", choices=[str(kind) for kind in Kind])
    export.add_argument("--alertname", help="events of this alert")
    export.add_argument("--contains", help="events whose JSON contains this text")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Export; return the number of events and the file."""
    query = AuditQuery(
        limit=PAGE_EVENTS,
        since=arguments.since,
        until=arguments.until,
        kind=arguments.kind,
        alertname=arguments.alertname,
        contains=arguments.contains,
    )
    if arguments.out == "-":
        events = write(query, arguments.format, sys.stdout)
        return {"events": events, "file": "standard output"}
    complete = Path(arguments.out)
    partial = Path(f"{arguments.out}.part")
    with partial.open("w", encoding="utf-8", newline="") as out:
        events = write(query, arguments.format, out)
    partial.replace(complete)
    return {"events": events, "file": str(complete)}


def write(query: AuditQuery, format_: str, out: TextIO) -> int:
    """Write the events of `query` to `out`, page after page; return how many there were."""
    written = 0
    reported_at = time.monotonic()
    if format_ == "csv":
        out.write(as_csv(()))
    for page in pages(query):
        if format_ == "csv":
            out.write(as_csv(page.events, header=False))
        else:
            lines = (json.dumps(event.to_dict(), ensure_ascii=False) for event in page.events)
            out.writelines(f"{line}\n" for line in lines)
        written += len(page.events)
        if page.following and time.monotonic() - reported_at >= PROGRESS_SECONDS:
            reported_at = time.monotonic()
            oldest = f"{page.following.time:%Y-%m-%d %H:%M}"
            print(f"· {written:,} events, back to {oldest}", file=sys.stderr)
    return written


def pages(query: AuditQuery) -> Iterator[AuditPage]:
    """Yield the pages of `query`, newest first."""
    audit = container().autoheal.dependencies.audit
    now = container().clock.now()
    while True:
        page = audit.find(query, now)
        yield page
        if page.following is None:
            return
        query = replace(query, after=page.following)


def _time(text: str) -> datetime:
    """Read an RFC 3339 time.

    Raises:
        argparse.ArgumentTypeError: it is not one, or has no time zone.
    """
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise argparse.ArgumentTypeError("not an RFC 3339 time such as 2030-01-31T09:00:00Z")
    return moment
