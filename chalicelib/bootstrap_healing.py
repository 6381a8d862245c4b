"""The healer's composition root: DynamoDB, SSM, Alertmanager and the pushgateway; never the database or the broker."""

from functools import cache
from typing import TYPE_CHECKING, Any

from chalicelib import bootstrap
from chalicelib.errors import Unavailable

if TYPE_CHECKING:
    from chalicelib.adapters.autoheal_tables.transact import Tables
    from chalicelib.autoheal.acknowledge import Acknowledger
    from chalicelib.autoheal.buffer import RequestMetrics
    from chalicelib.autoheal.ledger import MetricsLedger, Pusher
    from chalicelib.autoheal.modes import Config
    from chalicelib.autoheal.policy import Parts, Policy
    from chalicelib.autoheal.ports import Escalation


def deployed_config() -> "Config":
    """Return the healer's config as it is until somebody changes it."""
    from datetime import UTC, datetime

    from chalicelib.autoheal.modes import Config, Mode

    chosen = bootstrap.settings()
    mode = Mode.OFF
    if chosen.autoheal_enabled:
        mode = Mode.DRY_RUN if chosen.autoheal_dry_run else Mode.LIVE
    until = datetime.fromtimestamp(chosen.autoheal_chaos_until, UTC) if chosen.autoheal_chaos_until else None
    return Config(mode, chosen.autoheal_chaos_failure_rate, until)


@cache
def _healer_tables() -> "tuple[Any, Tables]":
    from chalicelib.adapters import dynamodb
    from chalicelib.adapters.autoheal_tables.transact import Tables

    chosen = bootstrap.settings()
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
    from chalicelib.adapters.autoheal_tables.store import DynamoHealStore
    from chalicelib.autoheal import runbooks
    from chalicelib.autoheal.policy import Parts

    chosen = bootstrap.settings()
    client, tables = _healer_tables()
    return Parts(
        store=DynamoHealStore(client, tables, bootstrap.clock()),
        audit=DynamoAudit(client, tables, patience_seconds=chosen.autoheal_audit_patience_seconds),
        ledger=ledger(),
        commander=ssm.SsmCommander(lambda: ssm.client(timeout_seconds=chosen.ssm_timeout_seconds)),
        alerts=AlertmanagerClient(chosen.alertmanager_url, timeout_seconds=chosen.alertmanager_timeout_seconds),
        escalation=_escalation(),
        clock=bootstrap.clock(),
        policy=_policy(),
        runbooks=runbooks.load(),
    )


def _policy() -> "Policy":
    from chalicelib.autoheal.policy import Policy

    chosen = bootstrap.settings()
    cooldowns = {
        "TcpEndpointDownFast": chosen.cooldown_tcp_endpoint_down_fast_sec,
        "UptimeProbeFailing": chosen.cooldown_uptime_probe_failing_sec,
        "CrmMetricsScrapeStale": chosen.cooldown_crm_metrics_scrape_stale_sec,
    }
    return Policy(
        deployed=deployed_config(),
        webhook_seconds=chosen.autoheal_webhook_seconds,
        cooldown_seconds=chosen.autoheal_default_cooldown_sec,
        cooldowns={name: seconds for name, seconds in cooldowns.items() if seconds is not None},
        chaos_seed=chosen.autoheal_chaos_seed,
        fleet_cap=chosen.autoheal_fleet_cap,
        approval_seconds=chosen.autoheal_approval_seconds,
        public_url=chosen.autoheal_public_url.rstrip("/"),
    )


def _escalation() -> "Escalation":
    from chalicelib.adapters import escalation

    chosen = bootstrap.settings()
    if chosen.autoheal_escalation_topic_arn:
        return escalation.SnsEscalation(
            chosen.autoheal_escalation_topic_arn, timeout_seconds=chosen.ssm_timeout_seconds
        )
    if chosen.autoheal_escalation_url:
        return escalation.WebhookEscalation(
            chosen.autoheal_escalation_url, timeout_seconds=chosen.alertmanager_timeout_seconds
        )
    return escalation.LogEscalation()


@cache
def acknowledger() -> "Acknowledger":
    """Return what acknowledges alerts. Raises `errors.Unavailable` as `healing` does."""
    from chalicelib.adapters.autoheal_tables.places import DynamoSilencePlaces
    from chalicelib.autoheal.acknowledge import Acknowledger

    return Acknowledger(healing(), DynamoSilencePlaces(*_healer_tables()))


def pusher() -> "Pusher | None":
    """Return where metrics are pushed, if there is such a place."""
    from chalicelib.adapters.pushgateway import Pushgateway

    chosen = bootstrap.settings()
    if not chosen.pushgateway_url:
        return None
    return Pushgateway(chosen.pushgateway_url, timeout_seconds=chosen.pushgateway_timeout_seconds)


@cache
def request_metrics() -> "RequestMetrics":
    """Return what counts requests; it counts nothing where there is no ledger."""
    from chalicelib.autoheal.buffer import RequestMetrics

    return RequestMetrics(ledger if bootstrap.settings().autoheal_table_prefix else None, bootstrap.clock())


@cache
def ledger() -> "MetricsLedger":
    """Return the metrics ledger. Raises `errors.Unavailable` as `healing` does."""
    from chalicelib.adapters.autoheal_tables.ledger import DynamoLedger

    return DynamoLedger(*_healer_tables())
