"""The audit on a real DynamoDB API: first pages are fast, exports complete, memory limited."""

import argparse
import csv
import json
import time
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any
from uuid import uuid4

import pytest

from chalicelib.adapters.dynamodb.audit import DynamoAudit
from chalicelib.adapters.dynamodb.transactions import Tables
from chalicelib.autoheal.audit import AuditEvent, AuditQuery, Kind
from chalicelib.config import Settings
from infra.local.emulator import Emulator
from infra.ops import audit as command
from tests.conftest import Compose
from tests.contract.autoheal_suites import create_tables

EVENTS = 5_000
DAYS = 3
ROUNDS = 8
FIRST_PAGE_SECONDS = 0.3
NOTE = "x" * 1_500
PEAK_BYTES = 14_000_000
"""The audit on a real DynamoDB API: first pages are fast, exports complete, memory limited."""


@pytest.fixture(scope="module")
def prefix(emulator: Emulator) -> str:
    """A table with `EVENTS` events over some days."""
    prefix = f"t{uuid4().hex[:12]}"
    client = emulator.client("dynamodb")
    now = datetime.now(UTC)
    create_tables(client, prefix)
    kinds = list(Kind)
    events = [
        AuditEvent(
            now - n * timedelta(days=DAYS) / EVENTS,
            kinds[n % len(kinds)],
            f"=Alert{n % 7}",
            {"number": n, "note": NOTE},
        )
        for n in range(EVENTS)
    ]
    DynamoAudit(client, Tables.of(prefix), patience_seconds=1).append(events)
    return prefix


@pytest.fixture
def audit(emulator: Emulator, prefix: str) -> Iterator[DynamoAudit]:
    """The log as the product reads it."""
    yield DynamoAudit(
        emulator.client("dynamodb"),
        Tables.of(prefix),
        patience_seconds=Settings().autoheal_store.audit_patience_seconds,
    )


@pytest.mark.parametrize(
    "query",
    [
        AuditQuery(),
        AuditQuery(kind="action_ok"),
        AuditQuery(alertname="=Alert3"),
        AuditQuery(kind="action_ok", alertname="=Alert3"),
        AuditQuery(contains="77"),
        AuditQuery(contains="not to be events_found"),
        AuditQuery(
            since=datetime.now(UTC) - timedelta(days=1),
            until=datetime.now(UTC) - timedelta(hours=2),
        ),
    ],
    ids=["all", "kind", "alertname", "both", "contains", "needle", "since and until"],
)
def test_the_first_page_is_fast_whatever_the_filter_is(
    audit: DynamoAudit, query: AuditQuery
) -> None:
    took = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        page = audit.find(query, datetime.now(UTC))
        took.append(time.perf_counter() - started)
        assert page.events or page.following
    assert median(took) <= FIRST_PAGE_SECONDS, (
        took
    )  # tests.bench.audit has the 95th percentile, on a quiet machine


def test_a_search_over_several_pages_misses_nothing(
    composed: Compose, audit: DynamoAudit, prefix: str, emulator: Emulator, aws: None
) -> None:
    composed(
        Settings().changed(autoheal_store={"table_prefix": prefix, "audit_patience_seconds": 0.05})
    )
    events_found = [
        event
        for page in command.pages(AuditQuery(contains='"number": 77'))
        for event in page.events
    ]
    expected = [number for number in range(EVENTS) if str(number).startswith("77")]
    assert [event.details["number"] for event in events_found] == expected


@pytest.fixture
def aws(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every AWS client of this process talk to the emulator."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", emulator.url)


def _exported(arguments: list[str]) -> dict[str, Any]:
    parser = argparse.ArgumentParser()
    command.add_commands(parser)
    return command.run(parser.parse_args(["export", *arguments]))


def test_everything_is_exported_in_limited_memory_and_no_cell_is_a_formula(
    composed: Compose, prefix: str, tmp_path: Path, aws: None
) -> None:
    composed(Settings().changed(autoheal_store={"table_prefix": prefix}))
    file = tmp_path / "audit.csv"
    _exported(
        ["--out", str(file), "--kind", "heartbeat"]
    )  # imports and connections are no part of it
    tracemalloc.start()
    try:
        summary = _exported(["--out", str(file)])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert summary == {"events": EVENTS, "file": str(file)}
    with file.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, strict=True))
    assert [json.loads(row["details"])["number"] for row in rows] == list(range(EVENTS))
    assert {row["alertname"][:2] for row in rows} == {"'="}
    assert peak <= PEAK_BYTES, f"{peak:,} bytes"
    assert [path.name for path in tmp_path.iterdir()] == ["audit.csv"]


def test_events_are_exported_as_lines_of_json(
    composed: Compose, prefix: str, tmp_path: Path, aws: None
) -> None:
    composed(Settings().changed(autoheal_store={"table_prefix": prefix}))
    file = tmp_path / "audit.jsonl"
    summary = _exported(["--out", str(file), "--format", "jsonl", "--kind", "ack"])
    kinds = {json.loads(line)["kind"] for line in file.read_text().splitlines()}
    assert (kinds, summary["events"]) == (
        {"ack"},
        len(range(list(Kind).index(Kind.ACK), EVENTS, len(Kind))),
    )


def test_an_invalid_time_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        _exported(["--since", "yesterday"])
    assert "RFC 3339" in capsys.readouterr().err
