"""The Kafka topics that the product uses, and creating those that are missing."""

from collections.abc import Mapping

from kafka import KafkaAdminClient
from kafka.errors import UnknownTopicOrPartitionError

from chalicelib.adapters.kafka import client_settings
from chalicelib.config import Settings
from chalicelib.config.kafka import KafkaSettings
from chalicelib.crm.events import TYPES
from chalicelib.outbox.envelope import topic_of

CREATE_TIMEOUT_MS = 15_000


def names(settings: Settings) -> list[str]:
    """Return every topic: one for each event type (or one for all, by the template), and the dead letters'."""
    events = {topic_of(settings.outbox.topic_template, kind.__name__) for kind in TYPES}
    return [*sorted(events), settings.outbox.dead_letter_topic]


def wanted(settings: Settings) -> dict[str, int]:
    """Return every topic with the partitions it should have."""
    return dict.fromkeys(names(settings), settings.outbox.topic_partitions)


def ensure(
    settings: Settings,
    *,
    only: Mapping[str, int] | None = None,
    replication: int = -1,
    kafka: KafkaSettings | None = None,
) -> list[str]:
    """Create the missing ones of `only` (by default all topics); return their names.

    Args:
        settings: how to reach the brokers, and which topics there should be.
        only: topic -> partitions, instead of what the settings say.
        kafka: how to reach the brokers, where that is not what `settings` say.
        replication: copies of each partition; -1 takes the broker's default.

    Raises:
        kafka.errors.KafkaError: the broker cannot be reached, or refuses.
    """
    topics = dict(only) if only is not None else wanted(settings)
    admin = KafkaAdminClient(**client_settings(kafka or settings.kafka))
    try:
        there = set(admin.list_topics())
        missing = {name: partitions for name, partitions in topics.items() if name not in there}
        if missing:
            admin.create_topics(
                {
                    name: {"num_partitions": partitions, "replication_factor": replication}
                    for name, partitions in missing.items()
                },
                timeout_ms=CREATE_TIMEOUT_MS,
                raise_errors=False,  # another set-up may have been quicker
                wait_for_metadata=True,
            )
            lacking = sorted(set(missing) - set(admin.list_topics()))
            if lacking:
                raise UnknownTopicOrPartitionError(
                    f"the broker did not create: {', '.join(lacking)}"
                )
        return sorted(missing)
    finally:
        admin.close()
