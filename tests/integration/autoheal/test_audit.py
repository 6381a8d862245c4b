"""The audit over HTTP: filters, pages and CSV."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.autoheal.audit import AuditEvent, Kind
from chalicelib.bootstrap import container
from chalicelib.shared.clock import rfc3339
from tests.integration.autoheal.api import Api


def _fill(number: int = 60) -> list[AuditEvent]:
    start = datetime.now(UTC) - timedelta(hours=number)
    events = []
    for n in range(number):
        kind = Kind.ACK if n % 2 else Kind.DECISION_SKIP
        events.append(
            AuditEvent(start + timedelta(hours=n), kind, f"=Alert{n % 3}", {"n": n, "x": "<b>"})
        )
    container().autoheal.dependencies.audit.append(events)
    return events


def test_the_audit_is_filtered_and_paged(api: Api) -> None:
    events = _fill()
    assert api("GET", "/audit").json_body["count"] == 60
    numbers = []
    path = "/audit?n=7&kind=ack&alertname=%3DAlert1"
    cursor: str | None = ""
    while cursor is not None:
        page = api("GET", path + (f"&cursor={cursor}" if cursor else "")).json_body
        numbers += [event["n"] for event in page["events"]]
        assert page["count"] == len(page["events"]) <= 7
        cursor = page["nextCursor"]
    assert numbers == [n for n in reversed(range(60)) if n % 2 and n % 3 == 1]
    since = events[10].time
    until = events[20].time
    between = api("GET", f"/audit?since={since.timestamp()}&until={rfc3339(until)}").json_body[
        "events"
    ]
    assert [event["n"] for event in between] == list(reversed(range(10, 20)))
    assert [event["n"] for event in api("GET", '/audit?contains="n": 33').json_body["events"]] == [
        33
    ]


@pytest.mark.parametrize(
    "query",
    [
        "n=0",
        "n=0000100000",
        "n=5001",
        "n=x",
        "since=yesterday",
        "until=1e99",
        "format=xml",
        "colour=red",
        "cursor=abc",
        "kind=",
        "n=٣",
    ],
)
def test_a_bad_audit_query_is_refused(api: Api, query: str) -> None:
    assert api("GET", f"/audit?{query}").status_code == 400


def test_an_audit_cursor_is_bound_to_its_filters(api: Api) -> None:
    _fill()
    cursor = api("GET", "/audit?n=5&kind=ack").json_body["nextCursor"]
    assert api("GET", f"/audit?n=9&kind=ack&cursor={cursor}").status_code == 200
    assert api("GET", f"/audit?n=5&kind=decision_skip&cursor={cursor}").status_code == 400


def test_the_audit_as_csv_is_safe_for_spreadsheets_and_has_a_next_link(api: Api) -> None:
    _fill()
    answer = api("GET", "/audit?n=10&format=csv")
    assert answer.headers["Content-Type"].startswith("text/csv")
    rows = list(csv.reader(io.StringIO(answer.body.decode(), newline=""), strict=True))
    assert rows[0] == ["time", "kind", "alertname", "id", "details"]
    assert len(rows) == 11
    assert all(row[2].startswith("'=Alert") for row in rows[1:])
    cursor = answer.headers["X-Next-Cursor"]
    assert 'rel="next"' in answer.headers["Link"]
    following = api("GET", f"/audit?n=10&format=csv&cursor={cursor}").body.decode()
    assert not {row[3] for row in rows[1:]} & {
        row[3] for row in csv.reader(io.StringIO(following, newline=""))
    }


@pytest.mark.parametrize("form", ["json", "csv"])
def test_a_page_of_large_events_ends_before_the_answer_is_too_large(api: Api, form: str) -> None:
    now = datetime.now(UTC)
    events = [
        AuditEvent(now - timedelta(seconds=n), Kind.ACK, "Large", {"text": "é" * 40_000})
        for n in range(60)
    ]
    for event in events:
        container().autoheal.dependencies.audit.append([event])
    listed: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        following = f"&cursor={cursor}" if cursor else ""
        answer = api("GET", f"/audit?alertname=Large&format={form}{following}")
        assert answer.status_code == 200
        assert len(json.dumps(answer.body.decode())) < 6_291_556
        if form == "json":
            listed += [event["id"] for event in answer.json_body["events"]]
            cursor = answer.json_body["nextCursor"]
        else:
            rows = list(csv.DictReader(io.StringIO(answer.body.decode())))
            listed += [row["id"] for row in rows]
            cursor = answer.headers.get("X-Next-Cursor")
    assert listed == [str(event.id) for event in events]
