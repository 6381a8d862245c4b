"""The main job, end to end: real requests in, and every record that comes out, as an independent consumer reads it."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID, uuid4

import requests
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from chalicelib.security.identity import Role

RECORD_SECONDS = 90.0
"""Longest wait for a record: the schedule fires each minute, and the relay may be between two runs."""

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


class DemoFailed(Exception):
    """The main job did not go through; the text says where it stopped."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A record as read."""

    topic: str
    partition: int
    offset: int
    key: str
    headers: dict[str, str]
    value: dict[str, Any]


def run(
    api: str,
    sign_in: Callable[[Role, UUID], str],
    bootstrap: str,
    topics: list[str],
    *,
    say: Callable[[str], None],
) -> list[Seen]:
    """Walk through the main job against `api`, for a new tenant; return the records, checked.

    Args:
        api: where the API is.
        sign_in: returns a token for a role and a tenant.
        bootstrap: where Kafka is.
        topics: what to read.
        say: takes a line about each step.

    Raises:
        DemoFailed: a request failed, a record is missing, or has a wrong key, header or
            place.
    """
    tenant_id = uuid4()
    tenant = str(tenant_id)
    token = sign_in(Role.SALES, tenant_id)
    with reading(bootstrap, topics) as consumer:
        expected = _work(api, token, say)
        say(f"· waiting for {len(expected)} records (the relay is fired each minute)")
        seen = collect(consumer, tenant, len(expected), say=say)
    _check(seen, expected, tenant)
    say(f"✓ {len(seen)} events: right keys, right headers, in order within each stream")
    return seen


def _work(api: str, token: str, say: Callable[[str], None]) -> list[tuple[str, str]]:
    """Make the requests; return (stream key, event type) for each event that they cause, in order."""
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {token}"

    def send(method: str, path: str, body: dict[str, Any], **headers: str) -> dict[str, Any]:
        try:
            answer = session.request(
                method, f"{api}/api/crm{path}", json=body, headers=headers, timeout=30
            )
        except requests.RequestException as problem:
            raise DemoFailed(
                f"{method} {path}: {type(problem).__name__}. Is the stack up? Run `make status`."
            ) from None
        if not answer.ok:
            raise DemoFailed(f"{method} {path}: {answer.status_code} {answer.text}")
        say(f"  {method:5} /api/crm{path} -> {answer.status_code}")
        return {**answer.json(), "etag": answer.headers["ETag"]}

    account = send("POST", "/accounts", {"name": "Northwind Energy", "industry": "Utilities"})
    contact = send(
        "POST",
        "/contacts",
        {"accountId": account["id"], "name": "Ada Byron", "email": "ada@northwind.test"},
    )
    job = send(
        "POST",
        "/jobs",
        {
            "accountId": account["id"],
            "contactId": contact["id"],
            "title": "Replace the meter",
        },
    )
    for status in ("Scheduled", "InProgress", "Completed"):
        send("POST", f"/jobs/{job['id']}/status", {"status": status})
    send(
        "PATCH",
        f"/contacts/{contact['id']}",
        {"name": "Ada Lovelace"},
        **{"If-Match": contact["etag"]},
    )
    return [
        (f"account:{account['id']}", "AccountCreated"),
        (f"contact:{contact['id']}", "ContactCreated"),
        (f"job:{job['id']}", "JobCreated"),
        *[(f"job:{job['id']}", "JobStatusChanged")] * 3,
        (f"contact:{contact['id']}", "ContactUpdated"),
    ]


@contextmanager
def reading(bootstrap: str, topics: list[str], *, from_start: bool = False) -> Iterator[Consumer]:
    """Read every partition from its end on, or from its start; assigned by hand, so no group is left behind."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"demo-{uuid4()}",
            "enable.auto.commit": False,
            "log_level": 0,
            "error_cb": lambda _: None,
        }
    )
    try:
        places = []
        for topic in topics:
            for partition in consumer.list_topics(topic, timeout=15).topics[topic].partitions:
                first, end = consumer.get_watermark_offsets(
                    TopicPartition(topic, partition), timeout=15
                )
                places.append(TopicPartition(topic, partition, first if from_start else end))
        consumer.assign(places)
        yield consumer
    except KafkaException as problem:
        raise DemoFailed(f"cannot read from Kafka at {bootstrap}: {problem}") from None
    finally:
        consumer.close()


def collect(
    consumer: Consumer,
    tenant: str,
    wanted: int,
    *,
    say: Callable[[str], None] = lambda _: None,
    seconds: float = RECORD_SECONDS,
) -> list[Seen]:
    """Return `wanted` different events of `tenant`, in the order in which they were read.

    Raises:
        DemoFailed: they did not all come within `seconds`.
    """
    seen: dict[str, Seen] = {}
    deadline = time.monotonic() + seconds
    while len(seen) < wanted:
        message = consumer.poll(0.5)
        if message is None and time.monotonic() > deadline:
            raise DemoFailed(
                f"{len(seen)} of {wanted} records after {seconds:.0f} s. See `make logs`."
            )
        if message is None:
            continue
        if message.error():
            if message.error().code() == KafkaError._PARTITION_EOF:
                continue
            raise DemoFailed(f"cannot read from Kafka: {message.error()}")
        headers = {name: value.decode() for name, value in message.headers() or []}
        if headers.get("tenant_id") != tenant:
            continue
        record = Seen(
            topic=message.topic(),
            partition=message.partition(),
            offset=message.offset(),
            key=message.key().decode(),
            headers=headers,
            value=json.loads(message.value()),
        )
        if headers["event_id"] not in seen:  # at least once: the same event may come twice
            seen[headers["event_id"]] = record
            say(f"  {record.topic} [{record.partition}@{record.offset}] key={record.key}")
            say(f"      {' '.join(f'{name}={value}' for name, value in headers.items())}")
            say(f"      {json.dumps(record.value)}")
    return list(seen.values())


def _check(seen: list[Seen], expected: list[tuple[str, str]], tenant: str) -> None:
    for record in seen:
        missing = [name for name in (*REQUIRED, *CLOUD_EVENT) if not record.headers.get(name)]
        if missing:
            raise DemoFailed(
                f"a record on {record.topic} lacks the headers {', '.join(missing)}: {asdict(record)}"
            )
        if record.headers["ce_subject"] != record.key or record.value["tenantId"] != tenant:
            raise DemoFailed(f"a record's key, subject and tenant do not agree: {asdict(record)}")
    for stream in {stream for stream, _ in expected}:
        ordered = sorted(
            (r for r in seen if r.key == stream), key=lambda r: int(r.headers["stream_seq"])
        )
        types = [record.headers["event_type"] for record in ordered]
        if types != [kind for key, kind in expected if key == stream]:
            raise DemoFailed(f"stream {stream} has {types}")
        if [int(record.headers["stream_seq"]) for record in ordered] != list(
            range(1, len(ordered) + 1)
        ):
            raise DemoFailed(f"stream {stream} has gaps in its sequence")
        for topic in {record.topic for record in ordered}:
            offsets = [record.offset for record in ordered if record.topic == topic]
            if (
                offsets != sorted(offsets)
                or len({r.partition for r in ordered if r.topic == topic}) != 1
            ):
                raise DemoFailed(f"stream {stream} is out of order on {topic}: offsets {offsets}")
