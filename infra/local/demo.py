"""The main job from end to end: real requests in, records out to an independent consumer."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import requests

from chalicelib.security.identity import Role
from infra.local.records import RECORD_SECONDS, Record, collect, reading
from infra.local.records import DemoFailed as DemoFailed

CALL_SECONDS = 30
REQUIRED = (
    "event_id",
    "tenant_id",
    "event_type",
    "occurred_at",
    "stream_seq",
    "schema_version",
    "traceparent",
)
CLOUD_EVENT = ("ce_id", "ce_type", "ce_source", "ce_subject", "ce_time", "ce_specversion")

Expected = list[tuple[str, str]]
"""Stream key and event type of each event, in order."""


def run(
    api_url: str,
    sign_in: Callable[[Role, UUID], str],
    bootstrap: str,
    topics: list[str],
    *,
    say: Callable[[str], None],
    seconds: float = RECORD_SECONDS,
) -> list[Record]:
    """Walk through the main job for a new tenant; return the records, checked.

    Args:
        api_url: where the API is.
        sign_in: returns a token for a role and a tenant.
        bootstrap: where Kafka is.
        topics: what to read.
        say: takes a line about each step.
        seconds: how long to wait for the records.

    Raises:
        DemoFailed: a request failed, a record is missing, or has a wrong key, header, topic
            or offset.
    """
    tenant_id = uuid4()
    token = sign_in(Role.SALES, tenant_id)
    with reading(bootstrap, topics) as consumer:
        expected = _make_requests(_Api(api_url, token, say))
        say(f"· waiting for {len(expected)} records (the relay runs once a minute)")
        records = collect(consumer, str(tenant_id), len(expected), say=say, seconds=seconds)
    for record in records:
        _check_headers(record, str(tenant_id))
    for stream in {stream for stream, _ in expected}:
        _check_order(stream, records, expected)
    say(f"✓ {len(records)} events: right keys, right headers, in order within each stream")
    return records


class _Api:
    """The CRM's routes, as one signed-in user calls them."""

    def __init__(self, url: str, token: str, say: Callable[[str], None]) -> None:
        self._url = url
        self._say = say
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {token}"

    def send(self, method: str, path: str, body: dict[str, Any], **headers: str) -> dict[str, Any]:
        """Return the answer's body, with its ETag as `etag`. Raises `DemoFailed`."""
        url = f"{self._url}/api/crm{path}"
        try:
            response = self._session.request(
                method, url, json=body, headers=headers, timeout=CALL_SECONDS
            )
        except requests.RequestException as error:
            reason = type(error).__name__
            hint = "Is the stack up? Run `make status`."
            raise DemoFailed(f"{method} {path}: {reason}. {hint}") from None
        if not response.ok:
            raise DemoFailed(f"{method} {path}: {response.status_code} {response.text}")
        self._say(f"  {method:5} /api/crm{path} -> {response.status_code}")
        return {**response.json(), "etag": response.headers["ETag"]}


def _make_requests(api: _Api) -> Expected:
    """Make the requests; return the events that they cause, in order."""
    account = api.send("POST", "/accounts", {"name": "Northwind Energy", "industry": "Utilities"})
    contact = api.send(
        "POST",
        "/contacts",
        {"accountId": account["id"], "name": "Ada Byron", "email": "ada@northwind.test"},
    )
    job = api.send(
        "POST",
        "/jobs",
        {"accountId": account["id"], "contactId": contact["id"], "title": "Replace the meter"},
    )
    for status in ("Scheduled", "InProgress", "Completed"):
        api.send("POST", f"/jobs/{job['id']}/status", {"status": status})
    match = {"If-Match": contact["etag"]}
    api.send("PATCH", f"/contacts/{contact['id']}", {"name": "Ada Lovelace"}, **match)
    return [
        (f"account:{account['id']}", "AccountCreated"),
        (f"contact:{contact['id']}", "ContactCreated"),
        (f"job:{job['id']}", "JobCreated"),
        *[(f"job:{job['id']}", "JobStatusChanged")] * 3,
        (f"contact:{contact['id']}", "ContactUpdated"),
    ]


def _check_headers(record: Record, tenant: str) -> None:
    missing = [name for name in (*REQUIRED, *CLOUD_EVENT) if not record.headers.get(name)]
    if missing:
        names = ", ".join(missing)
        raise DemoFailed(f"a record on {record.topic} lacks the headers {names}: {record}")
    if record.headers["ce_subject"] != record.key or record.value["tenantId"] != tenant:
        raise DemoFailed(f"a record's key, subject and tenant do not agree: {record}")


def _check_order(stream: str, records: list[Record], expected: Expected) -> None:
    """Check types, sequence numbers, partition and offsets of one stream."""
    ordered = sorted(
        (record for record in records if record.key == stream), key=lambda record: record.sequence
    )
    types = [record.headers["event_type"] for record in ordered]
    if types != [event_type for key, event_type in expected if key == stream]:
        raise DemoFailed(f"stream {stream} has {types}")
    if [record.sequence for record in ordered] != list(range(1, len(ordered) + 1)):
        raise DemoFailed(f"stream {stream} has gaps in its sequence")
    for topic in {record.topic for record in ordered}:
        in_topic = [record for record in ordered if record.topic == topic]
        offsets = [record.offset for record in in_topic]
        partitions = {record.partition for record in in_topic}
        if offsets != sorted(offsets) or len(partitions) != 1:
            raise DemoFailed(f"stream {stream} is out of order on {topic}: offsets {offsets}")
