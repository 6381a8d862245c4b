"""One transaction for rows and events: what is stored and what is told of it become true together."""

from collections.abc import Mapping
from types import TracebackType
from typing import cast
from uuid import UUID

import pg8000.dbapi
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool

from chalicelib.adapters.postgres import driver, tables
from chalicelib.adapters.postgres.answer_store import write
from chalicelib.adapters.postgres.outbox_append import append
from chalicelib.adapters.postgres.repositories import PostgresRepository
from chalicelib.config.database import DatabaseSettings
from chalicelib.config.outbox import OutboxSettings
from chalicelib.crm.events import Event
from chalicelib.crm.model import Account, Contact, Entity, Job
from chalicelib.idempotency.ports import ResponseRecorder
from chalicelib.outbox.envelope import Envelope, topic_of
from chalicelib.security.secrets import Secret


def engine(url: Secret, settings: DatabaseSettings) -> Engine:
    """Return a small pool of connections to `url` as the API role. A function serves one request at a time: one."""
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
    """A `UnitOfWork` of the CRM. Use it once."""

    def __init__(
        self,
        database: Engine,
        settings: OutboxSettings,
        tenant_id: UUID,
        headers: Mapping[str, str] | None = None,
        note: ResponseRecorder | None = None,
    ) -> None:
        """Work for `tenant_id`; `headers` go with every event (the trace, for one), `note` to the ledger."""
        self._database = database
        self._settings = settings
        self._headers = dict(headers or {})
        self._note = note
        self._tenant_id = tenant_id
        self._events: list[Event] = []
        self._open: Connection | None = None
        self._accounts = PostgresRepository(self._connection, Account, tables.accounts, tenant_id)
        self._contacts = PostgresRepository(self._connection, Contact, tables.contacts, tenant_id)
        self._jobs = PostgresRepository(self._connection, Job, tables.jobs, tenant_id)

    @property
    def tenant_id(self) -> UUID:
        """Whose rows these are."""
        return self._tenant_id

    @property
    def accounts(self) -> PostgresRepository[Account]:
        """The tenant's accounts."""
        return self._accounts

    @property
    def contacts(self) -> PostgresRepository[Contact]:
        """The tenant's contacts."""
        return self._contacts

    @property
    def jobs(self) -> PostgresRepository[Job]:
        """The tenant's jobs."""
        return self._jobs

    def record(self, event: Event) -> None:
        """Keep `event` for commit."""
        self._events.append(event)

    def commit(self, result: Entity | None = None) -> None:
        """Append the events, streams in order of their keys so that two commits never wait for each other, and commit.

        Raises:
            messaging.idempotency.AlreadyDone: the ledger has an answer under the note's
            key; nothing was kept.
            errors.Unavailable: the database went away. Unless it did so while committing,
            nothing was kept.
        """
        connection = self._driver()
        with driver.translate_errors():
            for event in sorted(self._events, key=lambda one: one.stream_key):
                append(connection, self._envelope(event), shards=self._settings.shards)
            if self._note is not None:
                write(connection, self._note.key, self._note.answer(result))
            connection.commit()
        self._events.clear()

    def __enter__(self) -> "PostgresUnitOfWork":
        """Begin, bound to the tenant. A pooled connection that died meanwhile is replaced, once."""
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
        """Roll back what was not committed and hand the connection back, or drop it where it is broken."""
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
