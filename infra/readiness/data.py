"""Checks of the data: the schema's version, the topics, and the outbox."""

import re
import time

from alembic.config import Config
from alembic.script import ScriptDirectory
from kafka import KafkaAdminClient

from chalicelib.adapters.kafka import client_settings
from chalicelib.adapters.postgres import driver
from chalicelib.config.database import DatabaseSettings
from infra.ops import migrate, topics
from infra.readiness.check import NotHere, Wrong, check
from infra.readiness.target import Target

OLDEST_SECONDS = 60.0
"""What the objective outbox_freshness promises."""
SAMPLE = re.compile(r"^(outbox_\w+)(?:\{[^}]*\})? (\S+)$", re.MULTILINE)


@check("migrations", "the schema is the code's", "`python -m infra.ops migrate`")
def _migrations(target: Target) -> str:
    if not target.database:
        raise NotHere("set OWNER_DATABASE_URL to have it asked")
    config = Config()
    config.set_main_option("script_location", str(migrate.SCRIPTS))
    head = ScriptDirectory.from_config(config).get_current_head()
    with driver.connect(
        target.database, DatabaseSettings(), name="aetherlink-readiness"
    ) as connection:
        [[exists]] = connection.execute_unnamed(
            "SELECT to_regclass('alembic_version') IS NOT NULL", ()
        ).rows
        versions = (
            connection.execute_unnamed("SELECT version_num FROM alembic_version", ()).rows
            if exists
            else []
        )
    current = versions[0][0] if versions else "nothing"
    if current != head:
        raise Wrong(f"the schema is at {current}, the code needs {head}")
    return f"the schema is at {head}"


@check(
    "topics",
    "every topic has its partitions",
    "`python -m infra.ops topics`; more partitions by Kafka's tools",
)
def _topics(target: Target) -> str:
    needed = topics.wanted(target.settings)
    admin = KafkaAdminClient(**client_settings(target.settings.kafka))
    try:
        partitions = {
            topic["name"]: len(topic["partitions"]) for topic in admin.describe_topics(list(needed))
        }
    finally:
        admin.close()
    missing = [name for name in needed if not partitions.get(name)]
    if missing:
        raise Wrong(f"there is no topic {', '.join(missing)}")
    fewer = [
        f"{name} has {partitions[name]} of {count}"
        for name, count in needed.items()
        if partitions[name] < count
    ]
    if fewer:
        raise Wrong(f"too few partitions: {', '.join(fewer)}")
    return f"{len(needed)} topics, {sum(partitions[name] for name in needed)} partitions"


def _outbox(target: Target) -> dict[str, float]:
    answer = target.ask("/metrics")
    if not answer.ok:
        raise Wrong(f"GET /metrics answers {answer.status_code}")
    metrics = {name: float(value) for name, value in SAMPLE.findall(answer.text)}
    if "outbox_pending" not in metrics:
        raise Wrong("GET /metrics has nothing about the outbox: the database cannot be reached")
    return metrics


@check("outbox-lag", "no event waits for long", "runbook docs/runbooks/outbox.md#outboxstalled")
def _lag(target: Target) -> str:
    metrics = _outbox(target)
    pending = metrics["outbox_pending"]
    age = time.time() - metrics["outbox_oldest_pending_timestamp"] if pending else 0.0
    if age > OLDEST_SECONDS:
        raise Wrong(f"{pending:.0f} events wait, the oldest for {age:.0f} s")
    return f"{pending:.0f} events wait, the oldest for {age:.0f} s"


@check(
    "outbox-parked",
    "no stream is parked",
    "runbook docs/runbooks/outbox.md#outboxparkedstreams",
)
def _parked(target: Target) -> str:
    parked = _outbox(target)["outbox_parked_streams"]
    if parked:
        raise Wrong(f"{parked:.0f} streams are parked")
    return "no stream is parked"


CHECKS = (_migrations, _topics, _lag, _parked)
