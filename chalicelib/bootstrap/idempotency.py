"""Idempotent requests: leases in DynamoDB, answers in PostgreSQL."""

from functools import cached_property
from typing import TYPE_CHECKING

from chalicelib.idempotency.no_leases import NoLeases
from chalicelib.idempotency.ports import AnswerStore, LeaseStore
from chalicelib.idempotency.runner import IdempotentRunner

if TYPE_CHECKING:
    from chalicelib.bootstrap.container import Container


class IdempotencyServices:
    """What runs a request once for its key."""

    def __init__(self, container: "Container") -> None:
        """Connect to nothing yet."""
        self._container = container

    @cached_property
    def leases(self) -> LeaseStore:
        """The lease store; one that lets every request through where no table is named."""
        settings = self._container.settings.idempotency
        if not settings.table:
            return NoLeases()
        from chalicelib.adapters.dynamodb.client import client
        from chalicelib.adapters.dynamodb.leases import DynamoLeaseStore

        return DynamoLeaseStore(client(timeout_seconds=settings.timeout_seconds), settings.table)

    @cached_property
    def answers(self) -> AnswerStore:
        """The answers that were committed with the business."""
        from chalicelib.adapters.postgres import driver
        from chalicelib.adapters.postgres.answer_store import PostgresAnswerStore
        from chalicelib.adapters.postgres.reconnecting import ReconnectingConnection

        database_url = self._container.secrets.secret("database.url")
        settings = self._container.settings.database
        connection = ReconnectingConnection(
            lambda: driver.log_in(database_url, settings, name="aetherlink-ledger")
        )
        return PostgresAnswerStore(connection)

    @cached_property
    def runner(self) -> IdempotentRunner:
        """What runs a request once for its key."""
        return IdempotentRunner(self.leases, self.answers, self._container.telemetry.api_meter)

    def clean(self) -> int:
        """Delete answers that were kept past their time; return how many."""
        from chalicelib.adapters.postgres.answer_store import clean

        return clean(self._container.outbox.connection("aetherlink-cleanup"))
