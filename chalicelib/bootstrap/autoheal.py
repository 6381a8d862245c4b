"""The healer's adapters: DynamoDB, SSM and Alertmanager.

It never uses the database or the broker, since either may be what is down.
"""

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from chalicelib.autoheal import runbooks
from chalicelib.autoheal.dependencies import Dependencies
from chalicelib.shared.errors import Unavailable

if TYPE_CHECKING:
    from chalicelib.adapters.dynamodb.transactions import Tables
    from chalicelib.autoheal.acknowledge import Acknowledger
    from chalicelib.autoheal.ports import Escalation
    from chalicelib.bootstrap.container import Container


class AutohealServices:
    """What the healer works with.

    Its properties raise `errors.Unavailable` on a deployment without a healer.
    """

    def __init__(self, container: "Container") -> None:
        """Connect to nothing yet."""
        self._container = container

    @cached_property
    def tables(self) -> "tuple[Any, Tables]":
        """The DynamoDB client, and the names of the healer's tables."""
        from chalicelib.adapters.dynamodb.client import client
        from chalicelib.adapters.dynamodb.transactions import Tables

        settings = self._container.settings.autoheal_store
        if not settings.table_prefix:
            raise Unavailable(
                "Self-healing is not configured in this deployment.",
                code="autoheal-not-set-up",
                cause="AUTOHEAL_TABLE_PREFIX is empty",
            )
        dynamodb = client(timeout_seconds=settings.timeout_seconds)
        return dynamodb, Tables.of(settings.table_prefix)

    @cached_property
    def dependencies(self) -> Dependencies:
        """Everything that the healer's use cases work with."""
        from chalicelib.adapters import ssm
        from chalicelib.adapters.alertmanager import AlertmanagerClient
        from chalicelib.adapters.dynamodb.audit import DynamoAudit
        from chalicelib.adapters.dynamodb.heal_store import DynamoHealStore

        settings = self._container.settings
        clock = self._container.clock
        dynamodb, tables = self.tables
        patience = settings.autoheal_store.audit_patience_seconds
        public_url = settings.autoheal.public_url.rstrip("/") or settings.http.public_url
        return Dependencies(
            store=DynamoHealStore(dynamodb, tables, clock),
            audit=DynamoAudit(dynamodb, tables, patience_seconds=patience),
            totals=self._container.telemetry.totals,
            commander=ssm.SsmCommander(
                lambda: ssm.client(timeout_seconds=settings.ssm.timeout_seconds),
                stage=settings.stage,
            ),
            alerts=AlertmanagerClient(
                settings.alertmanager.url,
                timeout_seconds=settings.alertmanager.timeout_seconds,
            ),
            escalation=self._escalation(),
            clock=clock,
            policy=replace(settings.autoheal, public_url=public_url),
            runbooks=runbooks.load(),
        )

    @cached_property
    def acknowledger(self) -> "Acknowledger":
        """What acknowledges alerts."""
        from chalicelib.adapters.dynamodb.silence_registry import DynamoSilenceRegistry
        from chalicelib.autoheal.acknowledge import Acknowledger

        return Acknowledger(self.dependencies, DynamoSilenceRegistry(*self.tables))

    def _escalation(self) -> "Escalation":
        from chalicelib.adapters import escalation

        settings = self._container.settings
        if settings.escalation.topic_arn:
            return escalation.SnsEscalation(
                settings.escalation.topic_arn, timeout_seconds=settings.ssm.timeout_seconds
            )
        if settings.escalation.url:
            return escalation.WebhookEscalation(
                settings.escalation.url,
                timeout_seconds=settings.alertmanager.timeout_seconds,
            )
        return escalation.LogEscalation()
