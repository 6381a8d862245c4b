"""Settings of the outbox: topics, shards, retention. How the relay works is `outbox.policy`."""

from dataclasses import dataclass

from chalicelib.shared.setting import number, setting


@dataclass(frozen=True, slots=True)
class OutboxSettings:
    """Where events go, and how long they are kept."""

    topic_template: str = setting(
        "OUTBOX_TOPIC_TEMPLATE",
        "aetherlink.events.{event_type}",
        "Topic of an event; `{event_type}` becomes the type in lower case. "
        "Without it all events share one topic.",
    )
    dead_letter_topic: str = setting(
        "OUTBOX_DEAD_LETTER_TOPIC",
        "aetherlink.events.dlq",
        "Where copies of parked events go.",
    )
    topic_partitions: int = setting(
        "OUTBOX_TOPIC_PARTITIONS",
        3,
        "Partitions of each topic that the set-up creates.",
        number(int, 1, 1_000),
    )
    shards: int = setting(
        "OUTBOX_SHARDS",
        8,
        "Shards that streams are spread over; the set-up adds missing ones.",
        number(int, 1, 1_024),
    )
    archive_retention_days: int = setting(
        "OUTBOX_ARCHIVE_RETENTION_DAYS",
        14,
        "Days that published events stay replayable.",
        number(int, 1, 3_650),
    )
