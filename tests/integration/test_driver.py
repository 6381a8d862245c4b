"""The pg8000 driver on the wire."""

from dataclasses import replace
from urllib.parse import urlsplit
from uuid import UUID

import pg8000.dbapi
import pytest

from chalicelib.adapters.postgres import driver
from chalicelib.adapters.postgres.unit_of_work import PostgresUnitOfWork, engine
from chalicelib.clock import SystemClock
from chalicelib.config import Settings
from chalicelib.credentials import plain
from chalicelib.crm import use_cases
from chalicelib.crm.commands import CreateAccount, CreateJob
from chalicelib.errors import Misconfigured, Unavailable
from infra.local.postgres import Postgres
from infra.local.process import free_port
from tests.integration.proxy import Proxy


def _through(proxy: Proxy, settings: Settings, postgres: Postgres) -> Settings:
    return replace(settings, database_url=settings.database_url.replace(f":{postgres.port}/", f":{proxy.port}/"))


def test_creating_a_job_takes_four_flights_where_stock_pg8000_takes_thirteen(
    database: Settings, postgres: Postgres, tenant: UUID
) -> None:
    with Proxy(postgres.port) as proxy:
        settings = _through(proxy, database, postgres)
        pool = engine(plain(settings.database_url), settings)

        def begin() -> PostgresUnitOfWork:
            return PostgresUnitOfWork(pool, settings, tenant)

        account = use_cases.create_account(CreateAccount(name="x"), begin(), SystemClock())
        before = proxy.flights
        use_cases.create_job(CreateJob(account_id=account.id, title="x"), begin(), SystemClock())
        ours = proxy.flights - before
        pool.dispose()

        parts = urlsplit(settings.database_url)
        stock = pg8000.dbapi.connect(
            parts.username, host="127.0.0.1", port=proxy.port, password=parts.password, database="aetherlink"
        )
        before = proxy.flights
        cursor = stock.cursor()
        cursor.execute("SELECT set_config('app.tenant', %s, true)", (str(tenant),))
        for _ in ("job", "outbox"):
            cursor.execute("SELECT 1 FROM account WHERE id = %s::uuid", (str(account.id),))
        stock.commit()
        theirs = proxy.flights - before
        stock.close()
    assert ours == 4
    assert theirs >= 10


def test_a_pooled_connection_that_died_is_replaced_unnoticed(
    database: Settings, postgres: Postgres, tenant: UUID
) -> None:
    with Proxy(postgres.port) as proxy:
        settings = _through(proxy, database, postgres)
        pool = engine(plain(settings.database_url), settings)
        for _ in range(2):
            use_cases.create_account(CreateAccount(name="x"), PostgresUnitOfWork(pool, settings, tenant), SystemClock())
            proxy.disconnect()
        pool.dispose()


def test_a_database_that_is_away_is_unavailable_and_says_so_in_time(database: Settings, tenant: UUID) -> None:
    settings = replace(database, database_url=f"postgresql://a:b@127.0.0.1:{free_port()}/x")
    nowhere = engine(plain(settings.database_url), settings)
    with pytest.raises(Unavailable) as refused, PostgresUnitOfWork(nowhere, settings, tenant):
        raise AssertionError("not reached")
    assert refused.value.headers["Retry-After"]
    assert str(settings.database_url) not in refused.value.detail


def test_a_statement_that_runs_too_long_is_ended(database: Settings) -> None:
    settings = replace(database, database_statement_timeout_ms=100)
    with (
        driver.connect(settings.database_url, settings, name="test") as connection,
        pytest.raises(Unavailable),
        driver.telling_apart(),
    ):
        connection.execute_simple("SELECT pg_sleep(5)")


def test_a_url_that_is_none_is_refused(database: Settings) -> None:
    with pytest.raises(Misconfigured, match="DATABASE_URL"):
        driver.connect("mysql://x", database, name="test")


def test_a_large_parameter_does_not_wait_for_the_other_side_s_delayed_acknowledgement(database: Settings) -> None:
    with driver.connect(database.database_url, database, name="test") as connection:
        for size in (10, 20_000, 200_000):
            text = "é" * size
            assert connection.execute_unnamed("SELECT $1::text, length($1)", (text,)).rows == [[text, size]]
