"""An event in the outbox, and the Kafka record that it becomes."""

import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from chalicelib.outbox import headers as header_names

DEAD_LETTER_PREFIX = "dlq:"
"""Starts the stream key of a dead letter; the rest is the key of its record."""

CE_SOURCE = b"/aetherlink/crm"
TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
"""A W3C trace context, version 00."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """An event to be appended.

    `payload` is JSON in UTF-8; `headers` are added to those that every record has.
    """

    event_id: UUID
    tenant_id: UUID
    stream_key: str
    event_type: str
    schema_version: int
    topic: str
    payload: bytes
    occurred_at: datetime
    headers: Mapping[str, str] = field(default_factory=dict)


class PendingEvent(NamedTuple):
    """An event that waits in the outbox.

    `id` orders the events of all streams; `stream_seq` numbers those of one stream from 1.
    """

    id: int
    event_id: str
    tenant_id: str
    shard: int
    stream_key: str
    stream_seq: int
    topic: str
    event_type: str
    schema_version: int
    occurred_at: str
    attempts: int
    headers: str
    payload: bytes

    @property
    def key(self) -> bytes:
        """Return the key of the record: the stream, so that Kafka keeps its order."""
        return self.stream_key.removeprefix(DEAD_LETTER_PREFIX).encode()

    @property
    def is_dead_letter(self) -> bool:
        """Return whether this is the copy of a parked event."""
        return self.stream_key.startswith(DEAD_LETTER_PREFIX)

    def record_headers(self) -> list[tuple[str, bytes]]:
        """Return the headers of the record.

        They are the product's own, those of CloudEvents 1.0 in Kafka's binary mode, and the
        envelope's additional ones.
        """
        event_id = self.event_id.encode()
        event_type = self.event_type.encode()
        occurred_at = self.occurred_at.encode()
        headers = [
            (header_names.EVENT_ID, event_id),
            (header_names.TENANT_ID, self.tenant_id.encode()),
            (header_names.EVENT_TYPE, event_type),
            (header_names.OCCURRED_AT, occurred_at),
            (header_names.STREAM_SEQ, b"%d" % self.stream_seq),
            (header_names.SCHEMA_VERSION, b"%d" % self.schema_version),
            (header_names.CONTENT_TYPE, b"application/json"),
            (header_names.CE_ID, event_id),
            (header_names.CE_TYPE, event_type),
            (header_names.CE_SOURCE, CE_SOURCE),
            (header_names.CE_SUBJECT, self.key),
            (header_names.CE_TIME, occurred_at),
            (header_names.CE_SPECVERSION, b"1.0"),
        ]
        if self.headers != "{}":
            headers += [(name, value.encode()) for name, value in json.loads(self.headers).items()]
        return headers


def topic_of(template: str, event_type: str) -> str:
    """Return the topic for `event_type`, e.g. `aetherlink.events.jobcreated`."""
    return template.replace("{event_type}", event_type.lower())


def shard_of(stream_key: str, shards: int) -> int:
    """Return the shard, 0 to `shards` - 1, of a new stream.

    A stream keeps its shard when the number of shards changes.
    """
    return zlib.crc32(stream_key.encode()) % shards
