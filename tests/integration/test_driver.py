"""The pg8000 driver on the wire."""

from typing import Any
from uuid import UUID, uuid4

import pg8000.dbapi
import pytest

from chalicelib.adapters.postgres import driver
from chalicelib.adapters.postgres.unit_of_work import PostgresUnitOfWork, engine
from chalicelib.config import Settings
from chalicelib.crm import use_cases
from chalicelib.crm.commands import CreateAccount, CreateJob
from chalicelib.crm.entities import ACCOUNT, JOB
from chalicelib.idempotency.key import IdempotencyKey
from chalicelib.idempotency.ports import ResponseRecorder, StoredAnswer
from chalicelib.security.secrets import plain
from chalicelib.shared.clock import SystemClock
from chalicelib.shared.errors import Misconfigured, Unavailable
from infra.local.ports import free_port
from infra.local.postgres import Postgres
from tests.integration.proxy import Proxy


def _through(proxy: Proxy, settings: Settings, postgres: Postgres) -> Settings:
    return settings.changed(
        database={"url": settings.database.url.replace(f":{postgres.port}/", f":{proxy.port}/")}
    )


class Stock(pg8000.dbapi.Connection):  # type: ignore[misc] # pg8000 has no types
    """Unmodified pg8000, which sets the tenant in a separate statement."""

    tenant: UUID | None = None

    def execute_simple(self, statement: str) -> Any:
        context = super().execute_simple(statement)
        if statement == driver.BEGIN and self.tenant is not None:
            super().execute_unnamed(
                "SELECT set_config('app.tenant', $1, true)", vals=(str(self.tenant),)
            )
        return context


@pytest.mark.parametrize(("keyed", "ours", "stock"), [(False, 4, 13), (True, 5, 16)])
def test_creating_a_job_takes_few_round_trips(
    database: Settings,
    postgres: Postgres,
    tenant: UUID,
    monkeypatch: pytest.MonkeyPatch,
    keyed: bool,
    ours: int,
    stock: int,
) -> None:
    """Begin with the tenant, insert the row, the event and the keyed answer, and commit."""

    def round_trips() -> int:
        with Proxy(postgres.port) as proxy:
            settings = _through(proxy, database, postgres)
            pool = engine(plain(settings.database.url), settings.database)
            account = use_cases.create(
                ACCOUNT,
                CreateAccount(name="x"),
                PostgresUnitOfWork(pool, settings.outbox, tenant),
                SystemClock(),
            )
            recorder = ResponseRecorder(
                IdempotencyKey(tenant, "POST /jobs", str(uuid4()), "0" * 64),
                lambda _: StoredAnswer(201, b"{}"),
            )
            before = proxy.round_trips
            work = PostgresUnitOfWork(
                pool, settings.outbox, tenant, recorder=recorder if keyed else None
            )
            use_cases.create(JOB, CreateJob(account_id=account.id, title="x"), work, SystemClock())
            count = proxy.round_trips - before
            pool.dispose()
            return count

    assert round_trips() == ours
    monkeypatch.setattr(driver, "Connection", Stock)
    assert round_trips() == stock


def test_a_pooled_connection_that_was_closed_is_replaced_without_an_error(
    database: Settings, postgres: Postgres, tenant: UUID
) -> None:
    with Proxy(postgres.port) as proxy:
        settings = _through(proxy, database, postgres)
        pool = engine(plain(settings.database.url), settings.database)
        for _ in range(2):
            use_cases.create(
                ACCOUNT,
                CreateAccount(name="x"),
                PostgresUnitOfWork(pool, settings.outbox, tenant),
                SystemClock(),
            )
            proxy.disconnect()
        pool.dispose()


def test_a_database_that_is_down_is_unavailable_without_revealing_its_url(
    database: Settings, tenant: UUID
) -> None:
    settings = database.changed(database={"url": f"postgresql://a:b@127.0.0.1:{free_port()}/x"})
    unreachable = engine(plain(settings.database.url), settings.database)
    with (
        pytest.raises(Unavailable) as refused,
        PostgresUnitOfWork(unreachable, settings.outbox, tenant),
    ):
        raise AssertionError("not reached")
    assert refused.value.headers["Retry-After"]
    assert str(settings.database.url) not in refused.value.detail


def test_a_statement_that_runs_too_long_is_cancelled(database: Settings) -> None:
    settings = database.changed(database={"statement_timeout_ms": 100})
    with (
        driver.connect(settings.database.url, settings.database, name="test") as connection,
        pytest.raises(Unavailable),
        driver.translate_errors(),
    ):
        connection.execute_simple("SELECT pg_sleep(5)")


def test_a_url_of_another_database_is_refused(database: Settings) -> None:
    with pytest.raises(Misconfigured, match="DATABASE_URL"):
        driver.connect("mysql://x", database.database, name="test")


def test_a_large_parameter_does_not_wait_for_a_delayed_acknowledgement(
    database: Settings,
) -> None:
    with driver.connect(database.database.url, database.database, name="test") as connection:
        for size in (10, 20_000, 200_000):
            text = "é" * size
            assert connection.execute_unnamed("SELECT $1::text, length($1)", (text,)).rows == [
                [text, size]
            ]
