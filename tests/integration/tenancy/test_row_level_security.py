"""Row level security: what PostgreSQL enforces even if the API's own statements are wrong."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pg8000.dbapi
import pytest

from chalicelib.adapters.postgres import driver
from chalicelib.bootstrap import container
from chalicelib.config import Settings
from chalicelib.crm import use_cases
from chalicelib.crm.commands import CreateAccount, CreateContact
from chalicelib.crm.entities import ACCOUNT, CONTACT
from chalicelib.shared.errors import Conflict
from chalicelib.shared.paging import Query
from infra.local.postgres import Postgres
from tests.conftest import Compose

PRIVILEGE = "42501"


@pytest.fixture
def api_role(database: Settings) -> Iterator[driver.Connection]:
    """The API role's own connection, as an attacker has it who can inject SQL."""
    with driver.connect(database.database.url, database.database, name="attacker") as connection:
        yield connection


def _two_accounts(postgres: Postgres) -> tuple[UUID, UUID]:
    """Return two tenants with an account each, whose id is the tenant's."""
    mine = uuid4()
    theirs = uuid4()
    with postgres.connect() as connection:
        for tenant in (mine, theirs):
            connection.execute_unnamed(
                "INSERT INTO account (tenant_id, id, version, created_at, updated_at, name)"
                " VALUES ($1::uuid, $1::uuid, 1, now(), now(), 'x')",
                (str(tenant),),
            )
    return mine, theirs


def _visible_tenants(connection: driver.Connection) -> list[str]:
    return [str(row[0]) for row in connection.execute_simple("SELECT tenant_id FROM account").rows]


@pytest.mark.parametrize(
    "forged", ["", "x", "' OR true --", "00000000-0000-0000-0000-000000000000", "%", "null"]
)
def test_a_forged_tenant_shows_no_rows(
    api_role: driver.Connection, postgres: Postgres, forged: str
) -> None:
    _two_accounts(postgres)
    api_role.execute_unnamed("SELECT set_config('app.tenant', $1, false)", (forged,))
    try:
        assert _visible_tenants(api_role) == []
    except pg8000.dbapi.DatabaseError as refused:
        assert driver.sqlstate(refused) == "22P02", "no uuid"


def test_the_transaction_s_tenant_overrides_one_set_in_the_session(
    api_role: driver.Connection, postgres: Postgres
) -> None:
    mine, theirs = _two_accounts(postgres)
    api_role.execute_unnamed("SELECT set_config('app.tenant', $1, false)", (str(theirs),))
    api_role.tenant = mine
    api_role.execute_simple(driver.BEGIN)
    assert _visible_tenants(api_role) == [str(mine)]
    api_role.rollback()


@pytest.mark.parametrize(
    "table", ["account", "contact", "job", "outbox_stream", "idempotent_request"]
)
def test_without_a_tenant_nothing_is_read_changed_or_deleted(
    api_role: driver.Connection, postgres: Postgres, table: str
) -> None:
    _two_accounts(postgres)
    assert api_role.execute_simple(f"SELECT count(*) FROM {table}").rows == [[0]]
    column = {"outbox_stream": "last_seq", "idempotent_request": "status"}.get(table, "version")
    assert api_role.execute_simple(f"UPDATE {table} SET {column} = 9").row_count == 0
    api_role.rollback()
    if table in ("account", "contact", "job"):
        assert api_role.execute_simple(f"DELETE FROM {table}").row_count == 0
        api_role.rollback()


@pytest.mark.parametrize(
    "statement",
    [
        "SET ROLE aetherlink_relay",
        "SET ROLE aetherlink_owner",
        "SET SESSION AUTHORIZATION aetherlink_owner",
        "ALTER TABLE account DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE account NO FORCE ROW LEVEL SECURITY",
        "DROP POLICY tenant ON account",
        "CREATE POLICY mine ON account USING (true)",
        "ALTER ROLE aetherlink_api BYPASSRLS",
        "CREATE OR REPLACE FUNCTION app_tenant() RETURNS uuid LANGUAGE sql RETURN NULL::uuid",
        "SET row_security = off; SELECT * FROM account",
        "COPY account TO PROGRAM 'cat'",
        "TRUNCATE account",
        "SELECT * FROM outbox_event",
        "SELECT * FROM outbox_archive",
        "SELECT * FROM outbox_replay",
        "SELECT * FROM outbox_audit",
    ],
)
def test_the_api_role_cannot_lift_row_level_security(
    api_role: driver.Connection, postgres: Postgres, statement: str
) -> None:
    _two_accounts(postgres)
    with pytest.raises(pg8000.dbapi.DatabaseError) as refused:
        api_role.execute_simple(statement)
    assert driver.sqlstate(refused.value) == PRIVILEGE


@pytest.mark.parametrize("verb", ["insert", "move"])
def test_no_row_can_be_written_into_another_tenant(
    api_role: driver.Connection, postgres: Postgres, verb: str
) -> None:
    mine, theirs = _two_accounts(postgres)
    api_role.tenant = mine
    api_role.execute_simple(driver.BEGIN)
    statement = {
        "insert": "INSERT INTO account (tenant_id, id, version, created_at, updated_at, name)"
        " VALUES ($1::uuid, gen_random_uuid(), 1, now(), now(), 'x')",
        "move": "UPDATE account SET tenant_id = $1::uuid",
    }[verb]
    with pytest.raises(pg8000.dbapi.DatabaseError) as refused:
        api_role.execute_unnamed(statement, (str(theirs),))
    assert driver.sqlstate(refused.value) == PRIVILEGE


def test_a_reference_to_another_tenant_s_row_is_refused(
    api_role: driver.Connection, postgres: Postgres
) -> None:
    mine, theirs = _two_accounts(postgres)
    api_role.tenant = mine
    api_role.execute_simple(driver.BEGIN)
    with pytest.raises(pg8000.dbapi.DatabaseError) as refused:
        api_role.execute_unnamed(
            "INSERT INTO contact (tenant_id, id, version, created_at, updated_at, account_id, name)"
            " VALUES ($1::uuid, gen_random_uuid(), 1, now(), now(), $2::uuid, 'x')",
            (str(mine), str(theirs)),
        )
    assert (driver.sqlstate(refused.value), driver.constraint(refused.value)) == (
        "23503",
        "contact_account_fkey",
    )


def test_a_pooled_connection_keeps_no_tenant_even_after_an_error(
    database: Settings, composed: Compose
) -> None:
    composed(database)
    mine = uuid4()
    theirs = uuid4()

    def begin(tenant: UUID) -> Any:
        return container().crm.unit_of_work(tenant, {})

    contact = CreateContact(name="Ada", email="ada@example.test")
    use_cases.create(CONTACT, contact, begin(theirs), container().clock)
    with pytest.raises(Conflict):
        use_cases.create(CONTACT, contact, begin(theirs), container().clock)
    pool = container().crm.engine
    with pool.connect() as raw:
        connection = raw.connection.dbapi_connection
        assert isinstance(connection, driver.Connection)
        backend = connection.execute_simple("SELECT pg_backend_pid()").rows
        tenant_setting = connection.execute_simple(
            "SELECT coalesce(current_setting('app.tenant', true), '')"
        ).rows
        assert tenant_setting == [[""]]
        assert connection.execute_simple("SELECT count(*) FROM contact").rows == [[0]]
    use_cases.create(ACCOUNT, CreateAccount(name="Mine"), begin(mine), container().clock)
    with begin(mine) as uow:
        assert uow.repository(CONTACT).find(Query()) == []
        assert [account.name for account in uow.repository(ACCOUNT).find(Query())] == ["Mine"]
        assert uow._driver().execute_simple("SELECT pg_backend_pid()").rows == backend, (
            "one connection served them all"
        )
