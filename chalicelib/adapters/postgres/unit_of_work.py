"""One transaction for entities, their events and the recorded answer."""

from collections.abc import Mapping
from types import TracebackType
from typing import TypeVar, cast
from uuid import UUID

import pg8000.dbapi
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool

from chalicelib.adapters.postgres import driver
from chalicelib.adapters.postgres.answer_store import write
from chalicelib.adapters.postgres.outbox_append import append
from chalicelib.adapters.postgres.repositories import PostgresRepository
from chalicelib.config.database import DatabaseSettings
from chalicelib.config.outbox import OutboxSettings
from chalicelib.crm.entities import EntityType
from chalicelib.crm.events import Event
from chalicelib.crm.model import Entity
from chalicelib.idempotency.ports import ResponseRecorder
from chalicelib.outbox.envelope import Envelope, topic_of
from chalicelib.security.secrets import Secret

E = TypeVar("E", bound=Entity)


def engine(url: Secret, settings: DatabaseSettings) -> Engine:
    """Return a pool of connections to `url` as the API role.

    A function serves one request at a time, so the pool keeps one connection.
    """
    return create_engine(
        "postgresql+pg8000://",
        creator=lambda: driver.log_in(url, settings, name="aetherlink-api"),
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=15,
        pool_timeout=settings.connect_timeout_seconds,
        pool_recycle=600,
    )


class PostgresUnitOfWork:
    """A `UnitOfWork` of the CRM, for a single use."""

    def __init__(
        self,
        database: Engine,
        settings: OutboxSettings,
        tenant_id: UUID,
        headers: Mapping[str, str] | None = None,
        recorder: ResponseRecorder | None = None,
    ) -> None:
        """Work for `tenant_id`.

        Args:
            database: the pool that the connection comes from.
            settings: the outbox's.
            tenant_id: the tenant.
            headers: sent with every event, e.g. the trace context.
            recorder: writes the answer to the answer store in the same transaction.
        """
        self._database = database
        self._settings = settings
        self._headers = dict(headers or {})
        self._recorder = recorder
        self._tenant_id = tenant_id
        self._events: list[Event] = []
        self._open: Connection | None = None

    @property
    def tenant_id(self) -> UUID:
        """The tenant whose entities these are."""
        return self._tenant_id

    def repository(self, kind: EntityType[E]) -> PostgresRepository[E]:
        """Return the tenant's entities of `kind`."""
        return PostgresRepository(self._connection, kind, self._tenant_id)

    def record(self, event: Event) -> None:
        """Keep `event` for commit."""
        self._events.append(event)

    def commit(self, result: Entity | None = None) -> None:
        """Append the events and the recorded answer, and commit.

        The events are sorted by stream, so that two transactions lock streams in the same
        order and never deadlock.

        Raises:
            idempotency.ports.AlreadyDone: the answer store has an answer under the
                recorder's key; nothing was kept.
            errors.Unavailable: the connection was lost. Unless that happened during the
                commit itself, nothing was kept.
        """
        connection = self._driver()
        with driver.translate_errors():
            for event in sorted(self._events, key=lambda event: event.stream_key):
                append(connection, self._envelope(event), shards=self._settings.shards)
            if self._recorder is not None:
                write(connection, self._recorder.key, self._recorder.answer(result))
            connection.commit()
        self._events.clear()

    def __enter__(self) -> "PostgresUnitOfWork":
        """Begin, bound to the tenant. A pooled connection that has died is replaced, once."""
        try:
            try:
                self._begin()
            except (pg8000.dbapi.Error, OSError, EOFError) as problem:
                if not driver.is_temporary(problem):
                    raise
                self._drop()
                self._begin()
        except (pg8000.dbapi.Error, PoolTimeout, OSError, EOFError) as problem:
            self._drop()
            raise driver.unavailable(problem) from problem
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Roll back what was not committed and return the connection; drop a broken one."""
        if self._open is None:
            return
        try:
            self._driver().rollback()
            self._open.close()
            self._open = None
        except (pg8000.dbapi.Error, OSError, EOFError):
            self._drop()

    def _begin(self) -> None:
        self._open = self._database.connect()
        connection = self._driver()
        connection.tenant = self._tenant_id
        connection.execute_simple(driver.BEGIN)

    def _drop(self) -> None:
        if self._open is not None:
            self._open.invalidate()
            self._open.close()
            self._open = None

    def _connection(self) -> Connection:
        if self._open is None:
            raise RuntimeError("use the unit of work in a with block")
        return self._open

    def _driver(self) -> driver.Connection:
        return cast(driver.Connection, self._connection().connection.dbapi_connection)

    def _envelope(self, event: Event) -> Envelope:
        return Envelope(
            event_id=event.event_id,
            tenant_id=event.tenant_id,
            stream_key=event.stream_key,
            event_type=event.type,
            schema_version=event.schema_version,
            topic=topic_of(self._settings.topic_template, event.type),
            payload=event.to_json(),
            occurred_at=event.occurred_at,
            headers=self._headers,
        )
