"""The business on PostgreSQL."""

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING
from uuid import UUID

from chalicelib.crm.ports import UnitOfWork
from chalicelib.idempotency.ports import ResponseRecorder

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from chalicelib.bootstrap.container import Container


class CrmServices:
    """Transactions of the business."""

    def __init__(self, container: "Container") -> None:
        """Connect to nothing yet."""
        self._container = container

    @cached_property
    def engine(self) -> "Engine":
        """The pool of database connections."""
        from chalicelib.adapters.postgres.unit_of_work import engine

        database_url = self._container.secrets.secret("database.url")
        return engine(database_url, self._container.settings.database)

    def unit_of_work(
        self,
        tenant_id: UUID,
        headers: Mapping[str, str],
        recorder: ResponseRecorder | None = None,
    ) -> UnitOfWork:
        """Return a new transaction for `tenant_id`.

        `headers` go with its events. `recorder` writes the answer to the answer store in
        the same transaction.
        """
        from chalicelib.adapters.postgres.unit_of_work import PostgresUnitOfWork

        settings = self._container.settings.outbox
        return PostgresUnitOfWork(self.engine, settings, tenant_id, headers, recorder)
