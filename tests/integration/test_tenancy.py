"""Tenants apart: what the database enforces by itself, and thousands of attempts to get across through the API."""

import json
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID, uuid4

import pg8000.dbapi
import pytest
from chalice.test import Client, HTTPResponse

import app
from chalicelib.adapters.postgres import driver
from chalicelib.bootstrap import container
from chalicelib.config import Settings
from chalicelib.crm import use_cases
from chalicelib.crm.commands import CreateAccount, CreateContact
from chalicelib.crm.entities import ACCOUNT, CONTACT
from chalicelib.shared.errors import Conflict
from infra.local.postgres import Postgres
from tests.conftest import Compose
from tests.issuer import Issuer, running

ATTEMPTS = 10_000
COLLECTIONS = ("accounts", "contacts", "jobs")
PRIVILEGE = "42501"
JOBS = 3
PARKED = 6
"""Each tenant's jobs, whose events wait, and its other streams, which are parked."""


@pytest.fixture
def api_role(database: Settings) -> Iterator[driver.Connection]:
    """The API role's own connection, as somebody would have it who injects SQL."""
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


def _seen(connection: driver.Connection) -> list[str]:
    return [str(row[0]) for row in connection.execute_simple("SELECT tenant_id FROM account").rows]


@pytest.mark.parametrize(
    "forged", ["", "x", "' OR true --", "00000000-0000-0000-0000-000000000000", "%", "null"]
)
def test_a_forged_tenant_opens_nothing(
    api_role: driver.Connection, postgres: Postgres, forged: str
) -> None:
    _two_accounts(postgres)
    api_role.execute_unnamed("SELECT set_config('app.tenant', $1, false)", (forged,))
    try:
        assert _seen(api_role) == []
    except pg8000.dbapi.DatabaseError as refused:
        assert driver.sqlstate(refused) == "22P02", "no uuid"


def test_a_tenant_left_behind_by_a_session_gives_way_to_the_transaction_s(
    api_role: driver.Connection, postgres: Postgres
) -> None:
    mine, theirs = _two_accounts(postgres)
    api_role.execute_unnamed("SELECT set_config('app.tenant', $1, false)", (str(theirs),))
    api_role.tenant = mine
    api_role.execute_simple(driver.BEGIN)
    assert _seen(api_role) == [str(mine)]
    api_role.rollback()


@pytest.mark.parametrize(
    "table", ["account", "contact", "job", "outbox_stream", "idempotent_request"]
)
def test_without_a_tenant_nothing_is_read_changed_or_deleted(
    api_role: driver.Connection, postgres: Postgres, table: str
) -> None:
    _two_accounts(postgres)
    assert api_role.execute_simple(f"SELECT count(*) FROM {table}").rows == [[0]]
    column = (
        "last_seq"
        if table == "outbox_stream"
        else "status"
        if table == "idempotent_request"
        else "version"
    )
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
def test_the_api_s_role_cannot_lift_the_barrier(
    api_role: driver.Connection, postgres: Postgres, statement: str
) -> None:
    _two_accounts(postgres)
    with pytest.raises(pg8000.dbapi.DatabaseError) as refused:
        api_role.execute_simple(statement)
    assert driver.sqlstate(refused.value) == PRIVILEGE


@pytest.mark.parametrize("verb", ["insert", "move"])
def test_no_row_gets_into_another_tenant(
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


def test_a_reference_into_another_tenant_is_one_to_nothing(
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


def test_a_pooled_connection_carries_nothing_over_even_after_an_error(
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
        said = connection.execute_simple(
            "SELECT coalesce(current_setting('app.tenant', true), '')"
        ).rows
        assert said == [[""]]
        assert connection.execute_simple("SELECT count(*) FROM contact").rows == [[0]]
    use_cases.create(ACCOUNT, CreateAccount(name="Mine"), begin(mine), container().clock)
    with begin(mine) as uow:
        assert uow.repository(CONTACT).find(_everything()) == []
        assert [one.name for one in uow.repository(ACCOUNT).find(_everything())] == ["Mine"]
        assert uow._driver().execute_simple("SELECT pg_backend_pid()").rows == backend, (
            "one connection served them all"
        )


def _everything() -> Any:
    from chalicelib.shared.paging import Query

    return Query()


@dataclass
class Tenant:
    """A tenant with data of every kind. Every text that it stored holds its marker, which nobody else ever sends."""

    id: UUID = field(default_factory=uuid4)
    marker: str = field(default_factory=lambda: uuid4().hex)
    token: str = ""
    ids: dict[str, list[str]] = field(default_factory=dict)
    emails: list[str] = field(default_factory=list)
    cursors: dict[str, list[str]] = field(default_factory=dict)
    keys: list[tuple[str, bytes]] = field(default_factory=list)
    streams: list[str] = field(default_factory=list)
    replay: str = ""


class Tenants:
    """Callers of one API, each for a tenant of its own."""

    def __init__(self, client: Client, issuer: Issuer) -> None:
        self.client = client
        self.issuer = issuer
        self.all = [Tenant() for _ in range(4)]
        for tenant in self.all:
            tenant.token = issuer.token(tenant_id=str(tenant.id), roles=["admin"], exp=2**31)
            self._fill(tenant)

    def send(
        self,
        tenant: Tenant,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
    ) -> HTTPResponse:
        fixed = {
            "Authorization": f"Bearer {tenant.token}",
            "Content-Type": "application/json",
        }
        raw = (
            body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        )
        return self.client.http.request(
            method, path, headers={**fixed, **(headers or {})}, body=raw
        )

    def _fill(self, tenant: Tenant) -> None:
        for number in range(3):
            name = f"{tenant.marker} {number}"
            email = f"{tenant.marker}-{number}@example.test"
            tenant.emails.append(email)
            account = self._make(tenant, "accounts", {"name": name})
            contact = self._make(
                tenant, "contacts", {"name": name, "email": email, "accountId": account}
            )
            self._make(tenant, "jobs", {"title": name, "accountId": account, "contactId": contact})
        for name in COLLECTIONS:
            first = self.send(tenant, "GET", f"/api/crm/{name}?limit=1").json_body
            tenant.cursors[name] = [first["nextCursor"]]
        period = {"since": "2020-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"}
        tenant.replay = self.send(tenant, "POST", "/api/outbox/replay", period).json_body["id"]

    def _make(self, tenant: Tenant, collection: str, body: dict[str, Any]) -> str:
        raw = json.dumps(body).encode()
        key = f"key-{len(tenant.keys)}"
        made = self.send(tenant, "POST", f"/api/crm/{collection}", raw, {"Idempotency-Key": key})
        assert made.status_code == 201, made.body
        tenant.keys.append((f"/api/crm/{collection}", raw))
        tenant.ids.setdefault(collection, []).append(made.json_body["id"])
        tenant.streams.append(f"{collection[:-1]}:{made.json_body['id']}")
        return str(made.json_body["id"])


@pytest.fixture
def tenants(database: Settings, composed: Compose, postgres: Postgres) -> Iterator[Tenants]:
    urls = {"database": {"url": database.database.url, "relay_url": database.database.relay_url}}
    with running() as issuer, Client(app.app, stage_name="local") as client:
        composed(issuer.settings(**urls))
        made = Tenants(client, issuer)
        with postgres.connect() as connection:
            parked = "SET parked = true WHERE stream_key NOT LIKE 'job:%'"
            connection.execute_simple(
                f"UPDATE outbox_stream {parked}; UPDATE outbox_event {parked}"
            )
        yield made


Attempt = tuple[str, str, Any, dict[str, str], tuple[int, ...]]
"""Method, path, body, headers, and the statuses that give nothing away."""


def _read(draw: random.Random, me: Tenant, victim: Tenant) -> Attempt:
    name = draw.choice(COLLECTIONS)
    return (
        "GET",
        f"/api/crm/{name}/{draw.choice(victim.ids[draw.choice(COLLECTIONS)])}",
        None,
        {},
        (404,),
    )


def _change(draw: random.Random, me: Tenant, victim: Tenant) -> Attempt:
    name = draw.choice(COLLECTIONS)
    body = {"title" if name == "jobs" else "name": "taken over"}
    match = {"If-Match": draw.choice(["*", '"1"', '"2"'])}
    return "PATCH", f"/api/crm/{name}/{draw.choice(victim.ids[name])}", body, match, (404,)


def _delete(draw: random.Random, me: Tenant, victim: Tenant) -> Attempt:
    name = draw.choice(COLLECTIONS)
    return "DELETE", f"/api/crm/{name}/{draw.choice(victim.ids[name])}", None, {}, (404,)


def _move(draw: random.Random, me: Tenant, victim: Tenant) -> Attempt:
    body = {"status": draw.choice(["Scheduled", "Cancelled"])}
    return (
        "POST",
        f"/api/crm/jobs/{draw.choice(victim.ids['jobs'])}/status",
        body,
        {},
        (404,),
    )


def _refer(draw: random.Random, me: Tenant, victim: Tenant) -> Attempt:
    account = draw.choice(victim.ids["accounts"])
    contact = draw.choice(victim.ids["contacts"])
    path, body = draw.choice(
        [
            ("contacts", {"name": "x", "accountId": account}),
            ("jobs", {"title": "x", "accountId": account}),
            (
                "jobs",
                {
                    "title": "x",
                    "accountId": draw.choice(me.ids["accounts"]),
                    "contactId": contact,
                },
            ),
        ]
    )
    return "POST", f"/api/crm/{path}", body, {}, (422,)


def _refer_later(draw: random.Random, me: Tenant, victim: Tenant) -> Attempt:
    body = draw.choice(
        [
            {"accountId": draw.choice(victim.ids["accounts"])},
            {"contactId": victim.ids["contacts"][0]},
        ]
    )
    return (
        "PATCH",
        f"/api/crm/jobs/{draw.choice(me.ids['jobs'])}",
        body,
        {"If-Match": "*"},
        (422,),
    )


def _list(draw: random.Random, me: Tenant, victim: Tenant) -> Attempt:
    name = draw.choice(COLLECTIONS)
    filters = [
        f"q={victim.marker[: draw.randint(1, 32)]}",
        f"limit={draw.randint(1, 100)}",
        "sort=-createdAt",
    ]
    if name != "accounts":
        filters.append(f"accountId={draw.choice(victim.ids['accounts'])}")
    if name == "contacts":
        filters.append(f"email={draw.choice(victim.emails)}")
    if name == "jobs":
        filters.append(f"contactId={draw.choice(victim.ids['contacts'])}")
    chosen = draw.sample(filters, draw.randint(1, len(filters)))
    return "GET", f"/api/crm/{name}?{'&'.join(chosen)}", None, {}, (200,)


def _continue(draw: random.Random, me: Tenant, victim: Tenant) -> Attempt:
    name = draw.choice(COLLECTIONS)
    return (
        "GET",
        f"/api/crm/{name}?limit=1&cursor={draw.choice(victim.cursors[name])}",
        None,
        {},
        (400,),
    )


def _pretend(draw: random.Random, me: Tenant, victim: Tenant) -> Attempt:
    path = draw.choice(
        [
            *(f"/api/crm/{name}" for name in COLLECTIONS),
            "/api/outbox",
            "/api/outbox/streams",
        ]
    )
    header = draw.choice(["X-Tenant-Id", "x-tenant-id", "X-TENANT-ID"])
    return "GET", path, None, {header: str(victim.id), "X-Roles": "admin"}, (403,)


def _unpark(draw: random.Random, me: Tenant, victim: Tenant) -> Attempt:
    stream = draw.choice(victim.streams)
    action = draw.choice(["requeue", "discard"])
    return (
        "POST",
        f"/api/outbox/streams/{stream.replace(':', '%3A')}/{action}",
        None,
        {},
        (404,),
    )


def _watch(draw: random.Random, me: Tenant, victim: Tenant) -> Attempt:
    after = draw.choice(
        ["", f"?cursor={min(victim.streams).replace(':', '%3A')[:-1]}", "?state=parked"]
    )
    return "GET", f"/api/outbox{draw.choice(['', '/streams' + after])}", None, {}, (200,)


def _follow(draw: random.Random, me: Tenant, victim: Tenant) -> Attempt:
    return "GET", f"/api/outbox/replay/{victim.replay}", None, {}, (404,)


KINDS: tuple[Callable[[random.Random, Tenant, Tenant], Attempt], ...] = (
    _read, _change, _delete, _move, _refer, _refer_later, _list, _continue, _pretend, _unpark, _watch, _follow,
)  # fmt: skip


def _stand(postgres: Postgres) -> list[Any]:
    """Return everything that the tenants have, as the owner sees it."""
    tables = {
        "account": "id",
        "contact": "id",
        "job": "id",
        "outbox_event": "id",
        "outbox_stream": "stream_key",
        "idempotent_request": "endpoint, key_hash",
    }
    with postgres.connect() as connection:
        return [
            connection.execute_simple(
                f"SELECT md5(t::text) FROM {name} t ORDER BY tenant_id, {order}"
            ).rows
            for name, order in tables.items()
        ]


def test_ten_thousand_attempts_get_nothing_across(tenants: Tenants, postgres: Postgres) -> None:
    seed = int(os.environ.get("TENANCY_SEED", random.SystemRandom().randrange(2**32)))
    draw = random.Random(seed)
    made = Counter[str]()
    before = _stand(postgres)
    for _ in range(ATTEMPTS):
        me, victim = draw.sample(tenants.all, 2)
        kind = draw.choice(KINDS)
        method, path, body, headers, expected = kind(draw, me, victim)
        answer = tenants.send(me, method, path, body, headers)
        said = answer.body.decode() + repr(dict(answer.headers))
        about = (
            f"seed {seed}: {method} {path} {body} {headers} -> {answer.status_code} {said[:2_000]}"
        )
        assert answer.status_code in expected, about
        made[kind.__name__] += 1
        others = [other for other in tenants.all if other is not me]
        assert not [other for other in others if other.marker in said], about
        if kind is not _pretend:
            assert not [other for other in others if str(other.id) in said], about
        if kind is _list:
            assert {one["tenantId"] for one in answer.json_body["items"]} <= {str(me.id)}, about
        if kind is _watch:
            seen = answer.json_body
            assert "pending" not in seen or (seen["pending"], seen["parkedStreams"]) == (
                JOBS,
                PARKED,
            ), about
            streams = {one["streamKey"] for one in seen.get("items", seen.get("parked"))}
            assert streams <= set(me.streams), about
    assert sum(made.values()) == ATTEMPTS
    assert set(made) == {kind.__name__ for kind in KINDS}
    assert _stand(postgres) == before, f"seed {seed}: something changed"


def test_what_is_another_s_and_what_is_nowhere_look_the_same(tenants: Tenants) -> None:
    me, victim = tenants.all[:2]
    draw = random.Random(1)
    for kind in (_read, _change, _delete, _move, _refer, _unpark, _follow):
        method, path, body, headers, _ = kind(draw, me, victim)
        text = json.dumps([path, body])
        nowhere = text
        for one in {*victim.streams, victim.replay}:
            identifier = one.rpartition(":")[2]
            nowhere = nowhere.replace(identifier, str(uuid4()))
        assert nowhere != text
        answers = []
        for where in (text, nowhere):
            asked, sent = json.loads(where)
            answer = tenants.send(me, method, asked, sent, headers)
            problem = {
                **json.loads(answer.body),
                "requestId": "",
                "instance": "",
                "detail": "",
            }
            answers.append((answer.status_code, problem, sorted(answer.headers)))
        assert answers[0] == answers[1], kind.__name__


def test_an_email_taken_by_another_tenant_is_free(tenants: Tenants) -> None:
    me, victim = tenants.all[:2]
    contact = {"name": "x", "email": victim.emails[0]}
    assert tenants.send(me, "POST", "/api/crm/contacts", contact).status_code == 201
    assert tenants.send(me, "POST", "/api/crm/contacts", contact).status_code == 409
    path = f"/api/crm/contacts/{me.ids['contacts'][0]}"
    changed = tenants.send(me, "PATCH", path, {"email": victim.emails[1]}, {"If-Match": "*"})
    assert (changed.status_code, changed.json_body["email"]) == (200, victim.emails[1])


def test_an_idempotency_key_of_another_tenant_is_a_new_one(tenants: Tenants) -> None:
    me, victim = tenants.all[:2]
    for number, (path, body) in enumerate(victim.keys):
        answer = tenants.send(me, "POST", path, body, {"Idempotency-Key": f"key-{number}"})
        assert answer.status_code in (201, 422), (
            "201 for a new account; 422 for my own key with another body"
        )
        assert "Idempotent-Replayed" not in answer.headers
        fresh = f"fresh-{number}"
        mine = tenants.send(
            victim, "POST", "/api/crm/accounts", {"name": "v"}, {"Idempotency-Key": fresh}
        )
        same = tenants.send(
            me, "POST", "/api/crm/accounts", {"name": "v"}, {"Idempotency-Key": fresh}
        )
        assert (mine.status_code, same.status_code) == (201, 201)
        assert "Idempotent-Replayed" not in same.headers
        assert same.json_body["tenantId"] == str(me.id)


def test_a_replay_counts_the_operator_s_own_events(tenants: Tenants, postgres: Postgres) -> None:
    with postgres.connect() as connection:
        connection.execute_simple(
            "INSERT INTO outbox_archive SELECT e.*, now() AS published_at, 0 AS kafka_partition, 1 AS kafka_offset"
            " FROM outbox_event e"
        )
    period = {"since": "2020-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"}
    for tenant in tenants.all:
        assert tenants.send(tenant, "POST", "/api/outbox/replay", period).json_body["count"] == 9


def test_the_operator_tenant_sees_every_outbox_and_nobody_s_customers(
    tenants: Tenants, database: Settings, composed: Compose
) -> None:
    operator, victim = tenants.all[:2]

    def stats(tenant: Tenant) -> tuple[int, int]:
        said = tenants.send(tenant, "GET", "/api/outbox").json_body
        return said["pending"], said["parkedStreams"]

    assert stats(operator) == (JOBS, PARKED)
    composed(replace(container().settings, operator_tenant_id=operator.id))
    everybody = len(tenants.all)
    assert stats(operator) == (JOBS * everybody, PARKED * everybody)
    path = f"/api/outbox/streams/{victim.streams[0]}/requeue"
    assert tenants.send(operator, "POST", path).json_body["requeued"] == 1
    assert stats(operator) == (JOBS * everybody + 1, PARKED * everybody - 1)
    assert stats(victim) == (JOBS + 1, PARKED - 1)
    assert stats(tenants.all[2]) == (JOBS, PARKED)
    assert tenants.send(operator, "GET", f"/api/outbox/replay/{victim.replay}").status_code == 200
    assert (
        tenants.send(operator, "GET", f"/api/crm/accounts/{victim.ids['accounts'][0]}").status_code
        == 404
    )
    sales = replace(
        operator, token=tenants.issuer.token(tenant_id=str(operator.id), roles=["sales"])
    )
    assert tenants.send(sales, "GET", "/api/outbox").status_code == 403
