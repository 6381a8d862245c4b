"""How long the audit log's first page takes among many events: `python -m tests.bench.audit --events 100000`.

The emulator reads a whole partition, a day of a shard, for any page; DynamoDB reads what
the page shows. So `--days 1` is the emulator's worst case, and nothing to DynamoDB.
"""

import argparse
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles

from chalicelib.adapters.dynamodb.audit import DynamoAudit
from chalicelib.adapters.dynamodb.transactions import Tables
from chalicelib.autoheal.audit import AuditEvent, AuditQuery, Kind
from chalicelib.config import Settings
from infra.local.emulator import Emulator
from infra.local.ports import free_port
from tests.contract.autoheal_suites import create_tables

ROUNDS = 100
BATCH = 500
PATIENCE_SECONDS = Settings().autoheal_store.audit_patience_seconds
QUERIES = {
    "all": AuditQuery(),
    "kind": AuditQuery(kind="action_ok"),
    "alertname": AuditQuery(alertname="Alert3"),
    "kind and alertname": AuditQuery(kind="action_ok", alertname="Alert3"),
    "contains": AuditQuery(contains="7"),
    "a needle": AuditQuery(contains="not to be found"),
}


def main() -> int:
    """Fill a table of the emulator, ask for first pages, print milliseconds."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.audit", description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument(
        "--days", type=float, default=7, help="over how long a time they are spread"
    )
    chosen = parser.parse_args()
    emulator = Emulator(Path(tempfile.mkdtemp(prefix="aetherlink-bench-")), free_port())
    emulator.start()
    try:
        client = emulator.client("dynamodb")
        create_tables(client, "bench")
        audit = DynamoAudit(client, Tables.of("bench"), patience_seconds=PATIENCE_SECONDS)
        now = datetime.now(UTC)
        made = [
            AuditEvent(
                now - n * timedelta(days=chosen.days / chosen.events),
                list(Kind)[n % len(Kind)],
                f"Alert{n % 10}",
                {"n": n},
            )
            for n in range(chosen.events)
        ]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(audit.append, [made[n : n + BATCH] for n in range(0, len(made), BATCH)]))
        for name, query in QUERIES.items():
            took = []
            for _ in range(ROUNDS):
                started = time.perf_counter()
                page = audit.find(query, now + timedelta(seconds=1))
                assert page.events or page.following
                took.append((time.perf_counter() - started) * 1_000)
            p95 = quantiles(took, n=20)[-1]
            print(
                f"{name:18} of {chosen.events} events: p50 {sorted(took)[ROUNDS // 2]:.0f} ms, p95 {p95:.0f} ms"
            )
    finally:
        emulator.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
