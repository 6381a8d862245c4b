"""Values that tenants share without noticing, and what an operator sees."""

from dataclasses import replace

from chalicelib.bootstrap import container
from infra.local.postgres import Postgres
from tests.conftest import Compose
from tests.integration.tenancy.world import (
    COLLECTIONS,
    ENTITIES_PER_COLLECTION,
    PARKED_STREAMS,
    PENDING_EVENTS,
    PERIOD,
    Tenant,
    Tenants,
)


def test_an_email_taken_by_another_tenant_is_free(tenants: Tenants) -> None:
    me, victim = tenants.all[:2]
    contact = {"name": "x", "email": victim.emails[0]}
    assert tenants.send(me, "POST", "/api/crm/contacts", contact).status_code == 201
    assert tenants.send(me, "POST", "/api/crm/contacts", contact).status_code == 409
    path = f"/api/crm/contacts/{me.ids['contacts'][0]}"
    changed = tenants.send(me, "PATCH", path, {"email": victim.emails[1]}, {"If-Match": "*"})
    assert (changed.status_code, changed.json_body["email"]) == (200, victim.emails[1])


def test_an_idempotency_key_used_by_another_tenant_is_new(tenants: Tenants) -> None:
    me, victim = tenants.all[:2]
    for number, (path, body) in enumerate(victim.requests):
        response = tenants.send(me, "POST", path, body, {"Idempotency-Key": f"key-{number}"})
        # A new account is created; my own key with another body is refused.
        assert response.status_code in (201, 422)
        assert "Idempotent-Replayed" not in response.headers
        key = {"Idempotency-Key": f"fresh-{number}"}
        theirs = tenants.send(victim, "POST", "/api/crm/accounts", {"name": "v"}, key)
        mine = tenants.send(me, "POST", "/api/crm/accounts", {"name": "v"}, key)
        assert (theirs.status_code, mine.status_code) == (201, 201)
        assert "Idempotent-Replayed" not in mine.headers
        assert mine.json_body["tenantId"] == str(me.id)


def test_a_replay_counts_the_operator_s_own_events(tenants: Tenants, postgres: Postgres) -> None:
    with postgres.connect() as connection:
        connection.execute_simple(
            "INSERT INTO outbox_archive SELECT e.*, now() AS published_at,"
            " 0 AS kafka_partition, 1 AS kafka_offset FROM outbox_event e"
        )
    events = len(COLLECTIONS) * ENTITIES_PER_COLLECTION
    for tenant in tenants.all:
        replay = tenants.send(tenant, "POST", "/api/outbox/replay", PERIOD).json_body
        assert replay["count"] == events


def test_the_operator_tenant_sees_every_outbox_but_no_tenant_s_entities(
    tenants: Tenants, composed: Compose
) -> None:
    operator, victim = tenants.all[:2]

    def stats(tenant: Tenant) -> tuple[int, int]:
        backlog = tenants.send(tenant, "GET", "/api/outbox").json_body
        return backlog["pending"], backlog["parkedStreams"]

    assert stats(operator) == (PENDING_EVENTS, PARKED_STREAMS)
    composed(replace(container().settings, operator_tenant_id=operator.id))
    pending = PENDING_EVENTS * len(tenants.all)
    parked = PARKED_STREAMS * len(tenants.all)
    assert stats(operator) == (pending, parked)
    path = f"/api/outbox/streams/{victim.streams[0]}/requeue"
    assert tenants.send(operator, "POST", path).json_body["requeued"] == 1
    assert stats(operator) == (pending + 1, parked - 1)
    assert stats(victim) == (PENDING_EVENTS + 1, PARKED_STREAMS - 1)
    assert stats(tenants.all[2]) == (PENDING_EVENTS, PARKED_STREAMS)
    replay = tenants.send(operator, "GET", f"/api/outbox/replay/{victim.replay}")
    assert replay.status_code == 200
    account = tenants.send(operator, "GET", f"/api/crm/accounts/{victim.ids['accounts'][0]}")
    assert account.status_code == 404
    token = tenants.issuer.token(tenant_id=str(operator.id), roles=["sales"])
    sales = replace(operator, token=token)
    assert tenants.send(sales, "GET", "/api/outbox").status_code == 403
