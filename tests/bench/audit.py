"""How long the first page of the audit log takes: `python -m tests.bench.audit --events 100000`.

The emulator reads a whole partition, a day of a shard, for any page; DynamoDB reads only what
the page shows. So `--days 1` is the worst case of the emulator, and makes no difference to
DynamoDB.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles
from uuid import uuid4

from chalicelib.adapters.dynamodb.audit import DynamoAudit
from chalicelib.adapters.dynamodb.transactions import Tables
from chalicelib.autoheal.audit import AuditEvent, AuditQuery, Kind
from chalicelib.config import Settings
from infra.local.emulator import Emulator
from infra.local.ports import free_port
from tests.contract.autoheal_suites import create_tables

ROUNDS = 100
SMOKE_ROUNDS = 2
SMOKE_DAYS = 1.0
SMOKE_EVENTS = 60
BATCH = 500
WRITERS = 4
PATIENCE_SECONDS = Settings().autoheal_store.audit_patience_seconds
QUERIES = {
    "all": AuditQuery(),
    "kind": AuditQuery(kind="action_ok"),
    "alertname": AuditQuery(alertname="Alert3"),
    "kind and alertname": AuditQuery(kind="action_ok", alertname="Alert3"),
    "contains": AuditQuery(contains="7"),
    "no match": AuditQuery(contains="not to be found"),
}


@contextmanager
def own_emulator() -> Iterator[Emulator]:
    """Start an emulator of the bench's own."""
    with tempfile.TemporaryDirectory(prefix="aetherlink-bench-") as folder:
        emulator = Emulator(Path(folder), free_port())
        emulator.start()
        try:
            yield emulator
        finally:
            emulator.stop()


def fill(audit: DynamoAudit, events: int, days: float) -> None:
    """Append `events` events that are spread over the last `days` days."""
    now = datetime.now(UTC)
    interval = timedelta(days=days / events)
    generated = [
        AuditEvent(
            now - number * interval,
            list(Kind)[number % len(Kind)],
            f"Alert{number % 10}",
            {"n": number},
        )
        for number in range(events)
    ]
    batches = [generated[first : first + BATCH] for first in range(0, events, BATCH)]
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(audit.append, batches))


def first_page_ms(audit: DynamoAudit, query: AuditQuery, rounds: int) -> list[float]:
    """Return how long the first page took, in ms, `rounds` times."""
    durations = []
    now = datetime.now(UTC) + timedelta(seconds=1)
    for _ in range(rounds):
        started = time.perf_counter()
        page = audit.find(query, now)
        durations.append((time.perf_counter() - started) * 1_000)
        if not page.events and not page.following:
            raise RuntimeError("the query found no event and no further page")
    return durations


def main(argv: Sequence[str] | None = None, *, emulator: Emulator | None = None) -> int:
    """Fill a table of the emulator, query first pages, print milliseconds."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.audit", description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--days", type=float, default=7, help="the time that the events cover")
    parser.add_argument("--smoke", action="store_true", help="only check that the bench runs")
    arguments = parser.parse_args(argv)
    events = SMOKE_EVENTS if arguments.smoke else arguments.events
    days = SMOKE_DAYS if arguments.smoke else arguments.days
    rounds = SMOKE_ROUNDS if arguments.smoke else ROUNDS
    opened: AbstractContextManager[Emulator] = own_emulator()
    if emulator is not None:
        opened = nullcontext(emulator)
    with opened as server:
        client = server.client("dynamodb")
        prefix = f"bench-{uuid4().hex[:8]}"
        create_tables(client, prefix)
        audit = DynamoAudit(client, Tables.of(prefix), patience_seconds=PATIENCE_SECONDS)
        fill(audit, events, days)
        for name, query in QUERIES.items():
            durations = first_page_ms(audit, query, rounds)
            p95 = quantiles(durations, n=20)[-1]
            print(f"{name:18} of {events} events: p50 {median(durations):.0f} ms, p95 {p95:.0f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
