"""What the schema guarantees."""

import json
from typing import Any
from uuid import UUID, uuid4

import pg8000.dbapi
import pytest
from sqlalchemy import Column
from sqlalchemy.dialects import postgresql

from chalicelib.adapters.postgres import driver, tables
from chalicelib.adapters.postgres.outbox_store import fetch_statement
from chalicelib.config import Settings
from infra.local.postgres import Postgres
from infra.ops import migrate

TENANT_TABLES = (
    "account",
    "contact",
    "job",
    "outbox_stream",
    "outbox_event",
    "outbox_archive",
    "outbox_replay",
    "outbox_audit",
    "idempotent_request",
)


def test_row_level_security_is_forced_on_every_table_with_a_tenant(
    postgres: Postgres,
) -> None:
    with postgres.connect() as connection:
        rows = connection.execute_simple(
            "SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity"
            " FROM pg_class c JOIN pg_attribute a"
            " ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped"
            " WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition"
        ).rows
    assert dict(map(tuple, rows)) == dict.fromkeys(TENANT_TABLES, True)


def test_the_roles_of_the_functions_own_nothing_and_bypass_nothing(postgres: Postgres) -> None:
    with postgres.connect() as connection:
        roles = connection.execute_simple(
            "SELECT rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb,"
            " (SELECT count(*) FROM pg_class WHERE relowner = r.oid)"
            " FROM pg_roles r WHERE rolname IN ('aetherlink_api', 'aetherlink_relay')"
        ).rows
    assert [row[1:] for row in roles] == [[False, False, False, False, 0]] * 2


@pytest.mark.parametrize("table", ["account", "contact", "job", "outbox_stream"])
def test_without_a_tenant_there_are_no_rows(database: Settings, table: str) -> None:
    with driver.connect(database.database.url, database.database, name="test") as connection:
        assert connection.execute_simple(f"SELECT count(*) FROM {table}").rows == [[0]]


def test_a_row_for_another_tenant_cannot_be_written(database: Settings, tenant: UUID) -> None:
    with driver.connect(database.database.url, database.database, name="test") as connection:
        connection.tenant = tenant
        connection.execute_simple(driver.BEGIN)
        with pytest.raises(pg8000.dbapi.DatabaseError) as refused:
            connection.execute_unnamed(
                "INSERT INTO account (tenant_id, id, version, created_at, updated_at, name)"
                " VALUES ($1::uuid, $1::uuid, 1, now(), now(), 'x')",
                (str(uuid4()),),
            )
    assert driver.sqlstate(refused.value) == "42501"


def test_the_tenant_does_not_outlive_its_transaction(database: Settings, tenant: UUID) -> None:
    with driver.connect(database.database.url, database.database, name="test") as connection:
        connection.tenant = tenant
        connection.execute_simple(driver.BEGIN)
        connection.commit()
        assert connection.execute_simple(
            "SELECT coalesce(current_setting('app.tenant', true), '')"
        ).rows == [[""]]


def test_the_api_role_cannot_read_or_delete_events(database: Settings) -> None:
    with driver.connect(database.database.url, database.database, name="test") as connection:
        connection.autocommit = True
        for statement in (
            "SELECT FROM outbox_event",
            "DELETE FROM outbox_event",
            "SELECT FROM outbox_shard",
        ):
            with pytest.raises(pg8000.dbapi.DatabaseError) as refused:
                connection.execute_simple(statement)
            assert driver.sqlstate(refused.value) == "42501"


def test_migrating_again_changes_nothing_and_adds_missing_shards(
    postgres: Postgres,
) -> None:
    migrate.upgrade(postgres.database_url(), shards=10)
    with postgres.connect() as connection:
        assert connection.execute_simple("SELECT count(*) FROM outbox_shard").rows == [[10]]
        connection.execute_simple("DELETE FROM outbox_shard WHERE shard >= 8")


def test_the_tables_in_code_are_those_in_the_database(postgres: Postgres) -> None:
    with postgres.connect() as connection:
        for table in tables.metadata.tables.values():
            rows = connection.execute_unnamed(
                "SELECT column_name, data_type, is_nullable = 'YES'"
                " FROM information_schema.columns WHERE table_name = $1",
                (table.name,),
            ).rows
            declared = [
                [column.name, _type_name(column), bool(column.nullable)] for column in table.columns
            ]
            assert sorted(rows) == sorted(declared)


def _type_name(column: Column[Any]) -> str:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    return str(column.type.compile(dialect=dialect)).lower()


def test_a_poll_is_one_ordered_scan_of_the_ready_index_for_each_shard(
    database: Settings, postgres: Postgres
) -> None:
    with postgres.connect() as connection:
        connection.execute_simple(
            "INSERT INTO outbox_event (event_id, tenant_id, shard, stream_key, stream_seq, topic,"
            " event_type, payload)"
            " SELECT gen_random_uuid(), gen_random_uuid(), i % 8, 'job:' || i, 1, 't', 'x', 'p'"
            " FROM generate_series(1, 20000) i; ANALYZE outbox_event"
        )
        owner = str(uuid4())
        connection.execute_unnamed(
            "UPDATE outbox_shard SET owner = $1::uuid, lease_until = now() + interval '1 hour'",
            (owner,),
        )
        explain = "EXPLAIN (ANALYZE, FORMAT JSON) " + fetch_statement(range(8))
        rows = connection.execute_unnamed(explain, (owner, 100, "{5,6}", "{}", 10**6)).rows
    plan = rows[0][0] if isinstance(rows[0][0], list) else json.loads(rows[0][0])
    nodes = list(_nodes(plan[0]["Plan"]))
    kinds = [node["Node Type"] for node in nodes]
    assert "Merge Append" in kinds
    scans = [node for node in nodes if node.get("Relation Name") == "outbox_event"]
    assert {node["Node Type"] for node in scans} == {"Index Scan"}
    assert {node["Index Name"] for node in scans} == {"outbox_ready"}
    assert sum(node["Actual Rows"] for node in scans) < 200, "the scans stop at the row limit"


def _nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    children = plan.get("Plans", [])
    return [plan, *(node for child in children for node in _nodes(child))]


def test_upkeep_creates_partitions_ahead_drops_expired_ones_and_loses_no_row(
    postgres: Postgres,
) -> None:
    insert = (
        "INSERT INTO outbox_archive (id, event_id, tenant_id, shard, stream_key, stream_seq,"
        " topic, event_type, payload, headers, occurred_at, attempts, parked, schema_version,"
        " published_at) VALUES (1, gen_random_uuid(), gen_random_uuid(), 0, 'job:1', 1, 't', 'x',"
        " '', '{}', now(), 0, false, 1, now() + interval '9 days')"
    )
    with postgres.connect() as connection:
        connection.execute_simple(insert)
        assert connection.execute_simple("SELECT count(*) FROM outbox_archive_default").rows == [
            [1]
        ]
        connection.execute_simple(
            "CREATE TABLE outbox_archive_20200101 PARTITION OF outbox_archive "
            "FOR VALUES FROM ('2020-01-01') TO ('2020-01-02')"
        )
        partitions = connection.execute_simple("SELECT * FROM outbox_maintain(9, 14)").rows
        assert ["dropped", "outbox_archive_20200101"] in partitions
        assert [action for action, _ in partitions].count("created") == 2
        assert connection.execute_simple("SELECT count(*) FROM outbox_archive_default").rows == [
            [0]
        ]
        assert connection.execute_simple("SELECT count(*) FROM outbox_archive").rows == [[1]]
        connection.execute_simple("TRUNCATE outbox_archive")
