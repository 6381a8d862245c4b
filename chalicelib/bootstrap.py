"""The composition root: puts adapters into ports. Everything here is lazy and made once per process.

Only this module imports adapters, and only inside functions, so that a function loads what it uses:
importing `app` loads no database, no Kafka and no AWS client.
"""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

from chalicelib import logs
from chalicelib.clock import Clock, SystemClock
from chalicelib.config import Settings
from chalicelib.crm.paging import Cursors
from chalicelib.crm.ports import UnitOfWork
from chalicelib.errors import Misconfigured, Unavailable
from chalicelib.health import Check
from chalicelib.identity import Authenticator
from chalicelib.messaging.idempotency import LeaseStore, NoLeases, Note, Once

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from chalicelib.adapters.autoheal_tables.transact import Tables
    from chalicelib.adapters.postgres.guarded import Guarded
    from chalicelib.autoheal.acknowledge import Acknowledger
    from chalicelib.autoheal.buffer import RequestMetrics
    from chalicelib.autoheal.ledger import Pusher
    from chalicelib.autoheal.modes import Config
    from chalicelib.autoheal.policy import Parts, Policy
    from chalicelib.autoheal.ports import Escalation
    from chalicelib.messaging.desk import OutboxDesk
    from chalicelib.messaging.relay import Relay
    from chalicelib.messaging.replay import Replayer

DEVELOPMENT_SECRET = "local-development"  # noqa: S105 - Settings refuse an empty secret on any other stage


@cache
def settings() -> Settings:
    """Return this process's settings; also sets the log level."""
    found = Settings.from_env()
    logs.configure(found.log_level)
    return found


@cache
def clock() -> Clock:
    """Return the machine's clock."""
    return SystemClock()


@cache
def authenticator() -> Authenticator:
    """Return what tells callers apart."""
    if settings().oidc_enabled:
        raise Misconfigured("OIDC_ENABLED is true, and this version has no OIDC yet. Set it to false on stage local.")
    from chalicelib.adapters.dev_identity import HeaderIdentity

    return HeaderIdentity()


@cache
def cursors() -> Cursors:
    """Return the writer and reader of list cursors."""
    return Cursors(settings().cursor_secret or DEVELOPMENT_SECRET)


@cache
def _database() -> "Engine":
    from chalicelib.adapters.postgres.unit_of_work import engine

    return engine(settings())


def unit_of_work(tenant_id: UUID, headers: Mapping[str, str], note: Note | None = None) -> UnitOfWork:
    """Return a new transaction for `tenant_id`; `headers` go with its events, `note` to the ledger."""
    from chalicelib.adapters.postgres.unit_of_work import PostgresUnitOfWork

    return PostgresUnitOfWork(_database(), settings(), tenant_id, headers, note)


@cache
def once() -> Once:
    """Return what runs a request once for its key."""
    from chalicelib.adapters.emf import EmfMeter
    from chalicelib.adapters.postgres import driver
    from chalicelib.adapters.postgres.guarded import Guarded
    from chalicelib.adapters.postgres.ledger import PostgresLedger

    chosen = settings()
    leases: LeaseStore = NoLeases()
    if chosen.idempotency_table:
        from chalicelib.adapters import dynamodb

        client = dynamodb.client(timeout_seconds=chosen.idempotency_timeout_seconds)
        leases = dynamodb.DynamoLeaseStore(client, chosen.idempotency_table)
    ledger = PostgresLedger(Guarded(lambda: driver.connect(chosen.database_url, chosen, name="aetherlink-ledger")))
    return Once(leases, ledger, EmfMeter(clock(), stage=chosen.stage, function="api"))


def idempotency_cleanup() -> int:
    """Delete what the ledger kept past its time; return how many rows."""
    from chalicelib.adapters.postgres.ledger import clean

    return clean(_relay_connection("aetherlink-cleanup"))


def _relay_connection(name: str) -> "Guarded":
    from chalicelib.adapters.postgres import driver
    from chalicelib.adapters.postgres.guarded import Guarded

    chosen = settings()
    return Guarded(lambda: driver.connect(chosen.relay_database_url, chosen, name=name))


def relay() -> "Relay":
    """Return a relay on Postgres and Kafka."""
    from chalicelib.adapters.emf import EmfMeter
    from chalicelib.adapters.kafka import KafkaPublisher
    from chalicelib.adapters.postgres.outbox_store import PostgresOutboxStore
    from chalicelib.messaging.policy import Policy
    from chalicelib.messaging.relay import Relay

    chosen = settings()
    store = PostgresOutboxStore(
        _relay_connection("aetherlink-relay"),
        dead_letter_topic=chosen.outbox_dead_letter_topic,
        dead_letter_bytes=chosen.max_body_bytes // 2,
    )
    policy = Policy(
        poll_seconds=chosen.relay_poll_seconds,
        wave_rows=chosen.relay_wave_rows,
        wave_bytes=chosen.relay_wave_bytes,
        shards=chosen.relay_shards_per_run,
        max_attempts=chosen.relay_max_attempts,
        backoff_base_seconds=chosen.relay_backoff_base_seconds,
        backoff_max_seconds=chosen.relay_backoff_max_seconds,
        delivery_timeout_seconds=chosen.kafka_delivery_timeout_ms / 1_000,
        lease_margin_seconds=chosen.relay_lease_margin_seconds,
    )
    meter = EmfMeter(clock(), stage=chosen.stage, function="relay")
    return Relay(store, lambda: KafkaPublisher(chosen), clock(), policy, meter)


def replayer() -> "Replayer":
    """Return what carries out replays."""
    from chalicelib.adapters.kafka import KafkaPublisher
    from chalicelib.adapters.postgres.replay_store import PostgresReplayStore
    from chalicelib.messaging.replay import Pace, Replayer

    chosen = settings()
    pace = Pace(
        per_second=chosen.replay_events_per_second, delivery_timeout_seconds=chosen.kafka_delivery_timeout_ms / 1_000
    )
    return Replayer(
        PostgresReplayStore(_relay_connection("aetherlink-replay")), lambda: KafkaPublisher(chosen), clock(), pace
    )


@cache
def outbox_desk() -> "OutboxDesk":
    """Return the operators' desk."""
    from chalicelib.adapters.postgres.outbox_desk import PostgresOutboxDesk

    return PostgresOutboxDesk(_relay_connection("aetherlink-desk"))


def outbox_upkeep() -> dict[str, list[str]]:
    """Make the archive's partitions ahead and drop those past retention; return their names."""
    from chalicelib.adapters.postgres.outbox_upkeep import maintain

    return maintain(_relay_connection("aetherlink-upkeep"), retention_days=settings().outbox_archive_retention_days)


def deployed_config() -> "Config":
    """Return the healer's config as it is until somebody changes it."""
    from datetime import UTC, datetime

    from chalicelib.autoheal.modes import Config, Mode

    chosen = settings()
    mode = Mode.OFF
    if chosen.autoheal_enabled:
        mode = Mode.DRY_RUN if chosen.autoheal_dry_run else Mode.LIVE
    until = datetime.fromtimestamp(chosen.autoheal_chaos_until, UTC) if chosen.autoheal_chaos_until else None
    return Config(mode, chosen.autoheal_chaos_failure_rate, until)


@cache
def _healer_tables() -> "tuple[Any, Tables]":
    from chalicelib.adapters import dynamodb
    from chalicelib.adapters.autoheal_tables.transact import Tables

    chosen = settings()
    if not chosen.autoheal_table_prefix:
        raise Unavailable("This deployment heals nothing.", code="autoheal-not-set-up", cause="AUTOHEAL_TABLE_PREFIX")
    client = dynamodb.client(timeout_seconds=chosen.autoheal_store_timeout_seconds)
    return client, Tables.of(chosen.autoheal_table_prefix)


@cache
def healing() -> "Parts":
    """Return everything that the healer works with.

    Raises:
        errors.Unavailable: this deployment has no healer.
    """
    from chalicelib.adapters import ssm
    from chalicelib.adapters.alertmanager import AlertmanagerClient
    from chalicelib.adapters.autoheal_tables.audit import DynamoAudit
    from chalicelib.adapters.autoheal_tables.ledger import DynamoLedger
    from chalicelib.adapters.autoheal_tables.store import DynamoHealStore
    from chalicelib.autoheal import runbooks
    from chalicelib.autoheal.policy import Parts

    chosen = settings()
    client, tables = _healer_tables()
    return Parts(
        store=DynamoHealStore(client, tables, clock()),
        audit=DynamoAudit(client, tables),
        ledger=DynamoLedger(client, tables),
        commander=ssm.SsmCommander(lambda: ssm.client(timeout_seconds=chosen.ssm_timeout_seconds)),
        alerts=AlertmanagerClient(chosen.alertmanager_url, timeout_seconds=chosen.alertmanager_timeout_seconds),
        escalation=_escalation(),
        clock=clock(),
        policy=_policy(),
        runbooks=runbooks.load(),
    )


def _policy() -> "Policy":
    from chalicelib.autoheal.policy import Policy

    chosen = settings()
    cooldowns = {
        "TcpEndpointDownFast": chosen.cooldown_tcp_endpoint_down_fast_sec,
        "UptimeProbeFailing": chosen.cooldown_uptime_probe_failing_sec,
        "CrmMetricsScrapeStale": chosen.cooldown_crm_metrics_scrape_stale_sec,
    }
    return Policy(
        deployed=deployed_config(),
        cooldown_seconds=chosen.autoheal_default_cooldown_sec,
        cooldowns={name: seconds for name, seconds in cooldowns.items() if seconds is not None},
        chaos_seed=chosen.autoheal_chaos_seed,
        fleet_cap=chosen.autoheal_fleet_cap,
        approval_seconds=chosen.autoheal_approval_seconds,
        public_url=chosen.autoheal_public_url.rstrip("/"),
    )


def _escalation() -> "Escalation":
    from chalicelib.adapters import escalation

    chosen = settings()
    topic, url, seconds = (
        chosen.autoheal_escalation_topic_arn, chosen.autoheal_escalation_url, chosen.alertmanager_timeout_seconds,
    )  # fmt: skip
    if topic:
        return escalation.SnsEscalation(topic, timeout_seconds=seconds)
    return escalation.WebhookEscalation(url, timeout_seconds=seconds) if url else escalation.LogEscalation()


@cache
def acknowledger() -> "Acknowledger":
    """Return what acknowledges alerts. Raises `errors.Unavailable` as `healing` does."""
    from chalicelib.adapters.autoheal_tables.places import DynamoSilencePlaces
    from chalicelib.autoheal.acknowledge import Acknowledger

    return Acknowledger(healing(), DynamoSilencePlaces(*_healer_tables()))


def pusher() -> "Pusher | None":
    """Return where metrics are pushed, if there is such a place."""
    from chalicelib.adapters.pushgateway import Pushgateway

    chosen = settings()
    if not chosen.pushgateway_url:
        return None
    return Pushgateway(chosen.pushgateway_url, timeout_seconds=chosen.pushgateway_timeout_seconds)


@cache
def request_metrics() -> "RequestMetrics":
    """Return what counts requests; it counts nothing where there is no ledger."""
    from chalicelib.adapters.autoheal_tables.ledger import DynamoLedger
    from chalicelib.autoheal.buffer import RequestMetrics

    if not settings().autoheal_table_prefix:
        return RequestMetrics(None, clock())
    return RequestMetrics(lambda: DynamoLedger(*_healer_tables()), clock())


def checks() -> dict[str, Check]:
    """Return what readiness depends on: a name and something that raises when it is down."""
    from chalicelib.adapters.postgres import probe as postgres

    return {"postgres": lambda: postgres.probe(settings())}
