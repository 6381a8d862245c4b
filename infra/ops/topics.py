"""The Kafka topics that the product uses, and creating those that are missing."""

from collections.abc import Mapping

from kafka import KafkaAdminClient
from kafka.errors import UnknownTopicOrPartitionError

from chalicelib.adapters.kafka import client_settings
from chalicelib.config import Settings
from chalicelib.crm.events import TYPES
from chalicelib.outbox.envelope import topic_of

CREATE_TIMEOUT_MS = 15_000
DEFAULT_REPLICATION = -1
"""Lets the broker decide how many copies of a partition it keeps."""

Partitions = Mapping[str, int]
"""The number of partitions, by topic."""


def names(settings: Settings) -> list[str]:
    """Return the names of all topics: those of the events, and the dead letter topic.

    Each event type has a topic of its own, or all share one, as the topic template says.
    """
    template = settings.outbox.topic_template
    events = {topic_of(template, event_type.__name__) for event_type in TYPES}
    return [*sorted(events), settings.outbox.dead_letter_topic]


def wanted(settings: Settings) -> dict[str, int]:
    """Return every topic with the number of partitions it should have."""
    return dict.fromkeys(names(settings), settings.outbox.topic_partitions)


def ensure(
    settings: Settings,
    *,
    only: Partitions | None = None,
    replication: int = DEFAULT_REPLICATION,
) -> list[str]:
    """Create the topics that are missing; return their names.

    Args:
        settings: which topics there should be, and how to reach the brokers.
        only: topics to create, instead of those of `settings`.
        replication: copies of each partition.

    Raises:
        kafka.errors.KafkaError: the broker cannot be reached, or refuses.
        errors.Misconfigured: no brokers are configured.
    """
    topics = wanted(settings) if only is None else only
    admin = KafkaAdminClient(**client_settings(settings.kafka))
    try:
        existing = set(admin.list_topics())
        missing = {name: count for name, count in topics.items() if name not in existing}
        if missing:
            _create(admin, missing, replication)
        return sorted(missing)
    finally:
        admin.close()


def _create(admin: KafkaAdminClient, partitions: Partitions, replication: int) -> None:
    """Create topics, of which some may have been created by another process meanwhile."""
    admin.create_topics(
        {
            name: {"num_partitions": count, "replication_factor": replication}
            for name, count in partitions.items()
        },
        timeout_ms=CREATE_TIMEOUT_MS,
        raise_errors=False,
        wait_for_metadata=True,
    )
    missing = sorted(set(partitions) - set(admin.list_topics()))
    if missing:
        raise UnknownTopicOrPartitionError(f"the broker did not create: {', '.join(missing)}")
