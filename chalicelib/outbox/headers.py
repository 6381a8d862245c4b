"""Names of a Kafka record's headers."""

from typing import Final

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
