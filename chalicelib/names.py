"""Names that others rely on: log actions and record headers. One name for one thing, here."""

from typing import Final

# Log lines: `action` of each.
REQUEST_FINISHED: Final = "request.finished"
REQUEST_FAILED: Final = "request.failed"
REQUEST_CRASHED: Final = "request.crashed"
RELAY_FINISHED: Final = "relay.finished"
RELAY_BROKER_TROUBLE: Final = "relay.broker_trouble"
RELAY_STORE_TROUBLE: Final = "relay.store_trouble"
RELAY_EVENT_REFUSED: Final = "relay.event_refused"
RELAY_STREAM_PARKED: Final = "relay.stream_parked"
REPLAY_FINISHED: Final = "replay.finished"
REPLAY_TROUBLE: Final = "replay.trouble"
UPKEEP_FINISHED: Final = "outbox_upkeep.finished"

# Headers of a Kafka record.
EVENT_ID: Final = "event_id"
TENANT_ID: Final = "tenant_id"
EVENT_TYPE: Final = "event_type"
OCCURRED_AT: Final = "occurred_at"
STREAM_SEQ: Final = "stream_seq"
SCHEMA_VERSION: Final = "schema_version"
TRACEPARENT: Final = "traceparent"
CONTENT_TYPE: Final = "content-type"
REPLAY: Final = "replay"
CE_ID: Final = "ce_id"
CE_TYPE: Final = "ce_type"
CE_SOURCE: Final = "ce_source"
CE_SUBJECT: Final = "ce_subject"
CE_TIME: Final = "ce_time"
CE_SPECVERSION: Final = "ce_specversion"
