"""The Kafka topics that the product uses, and creating those that are missing."""

from kafka import KafkaAdminClient
from kafka.errors import TopicAlreadyExistsError

from chalicelib.adapters.kafka import client_settings
from chalicelib.config import Settings
from chalicelib.crm.events import TYPES
from chalicelib.messaging.envelope import topic_of

CREATE_TIMEOUT_MS = 15_000


def names(settings: Settings) -> list[str]:
    """Return every topic: one for each event type (or one for all, by the template), and the dead letters'."""
    events = {topic_of(settings.outbox_topic_template, kind.__name__) for kind in TYPES}
    return [*sorted(events), settings.outbox_dead_letter_topic]


def ensure(settings: Settings, *, replication: int = -1) -> list[str]:
    """Create the topics that are missing, with `replication` copies (-1: the broker's default); return their names.

    Raises:
        kafka.errors.KafkaError: the broker cannot be reached, or refuses.
    """
    admin = KafkaAdminClient(**client_settings(settings))
    try:
        missing = [name for name in names(settings) if name not in set(admin.list_topics())]
        if missing:
            wanted = {"num_partitions": settings.outbox_topic_partitions, "replication_factor": replication}
            try:
                admin.create_topics(
                    {name: wanted for name in missing}, timeout_ms=CREATE_TIMEOUT_MS, wait_for_metadata=True
                )
            except TopicAlreadyExistsError:  # another set-up was quicker
                return ensure(settings, replication=replication)
        return missing
    finally:
        admin.close()
