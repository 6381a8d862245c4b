"""Attempts of one tenant to reach what belongs to another, of every kind."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.integration.tenancy.world import COLLECTIONS, Tenant


@dataclass(frozen=True)
class Attempt:
    """A request of a tenant that names what belongs to its victim.

    `expected` is the status of a response that gives nothing away.
    """

    method: str
    path: str
    expected: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


def read_entity(draw: random.Random, me: Tenant, victim: Tenant) -> Attempt:
    collection = draw.choice(COLLECTIONS)
    entity_id = draw.choice(victim.ids[draw.choice(COLLECTIONS)])
    return Attempt("GET", f"/api/crm/{collection}/{entity_id}", 404)


def change_entity(draw: random.Random, me: Tenant, victim: Tenant) -> Attempt:
    collection = draw.choice(COLLECTIONS)
    body = {"title" if collection == "jobs" else "name": "taken over"}
    headers = {"If-Match": draw.choice(["*", '"1"', '"2"'])}
    path = f"/api/crm/{collection}/{draw.choice(victim.ids[collection])}"
    return Attempt("PATCH", path, 404, body, headers)


def delete_entity(draw: random.Random, me: Tenant, victim: Tenant) -> Attempt:
    collection = draw.choice(COLLECTIONS)
    path = f"/api/crm/{collection}/{draw.choice(victim.ids[collection])}"
    return Attempt("DELETE", path, 404)


def move_job(draw: random.Random, me: Tenant, victim: Tenant) -> Attempt:
    path = f"/api/crm/jobs/{draw.choice(victim.ids['jobs'])}/status"
    return Attempt("POST", path, 404, {"status": draw.choice(["Scheduled", "Cancelled"])})


def create_with_reference(draw: random.Random, me: Tenant, victim: Tenant) -> Attempt:
    my_account = draw.choice(me.ids["accounts"])
    account = draw.choice(victim.ids["accounts"])
    contact = draw.choice(victim.ids["contacts"])
    requests: list[tuple[str, dict[str, str]]] = [
        ("contacts", {"name": "x", "accountId": account}),
        ("jobs", {"title": "x", "accountId": account}),
        ("jobs", {"title": "x", "accountId": my_account, "contactId": contact}),
    ]
    collection, body = draw.choice(requests)
    return Attempt("POST", f"/api/crm/{collection}", 422, body)


def change_reference(draw: random.Random, me: Tenant, victim: Tenant) -> Attempt:
    bodies = [
        {"accountId": draw.choice(victim.ids["accounts"])},
        {"contactId": draw.choice(victim.ids["contacts"])},
    ]
    path = f"/api/crm/jobs/{draw.choice(me.ids['jobs'])}"
    return Attempt("PATCH", path, 422, draw.choice(bodies), {"If-Match": "*"})


def list_entities(draw: random.Random, me: Tenant, victim: Tenant) -> Attempt:
    collection = draw.choice(COLLECTIONS)
    parameters = [
        f"q={victim.marker[: draw.randint(1, 32)]}",
        f"limit={draw.randint(1, 100)}",
        "sort=-createdAt",
    ]
    if collection != "accounts":
        parameters.append(f"accountId={draw.choice(victim.ids['accounts'])}")
    if collection == "contacts":
        parameters.append(f"email={draw.choice(victim.emails)}")
    if collection == "jobs":
        parameters.append(f"contactId={draw.choice(victim.ids['contacts'])}")
    query = "&".join(draw.sample(parameters, draw.randint(1, len(parameters))))
    return Attempt("GET", f"/api/crm/{collection}?{query}", 200)


def use_cursor(draw: random.Random, me: Tenant, victim: Tenant) -> Attempt:
    collection = draw.choice(COLLECTIONS)
    path = f"/api/crm/{collection}?limit=1&cursor={victim.cursors[collection]}"
    return Attempt("GET", path, 400)


def send_tenant_header(draw: random.Random, me: Tenant, victim: Tenant) -> Attempt:
    collections = [f"/api/crm/{collection}" for collection in COLLECTIONS]
    path = draw.choice([*collections, "/api/outbox", "/api/outbox/streams"])
    header = draw.choice(["X-Tenant-Id", "x-tenant-id", "X-TENANT-ID"])
    return Attempt("GET", path, 403, headers={header: str(victim.id), "X-Roles": "admin"})


def unpark_stream(draw: random.Random, me: Tenant, victim: Tenant) -> Attempt:
    stream = draw.choice(victim.streams).replace(":", "%3A")
    action = draw.choice(["requeue", "discard"])
    return Attempt("POST", f"/api/outbox/streams/{stream}/{action}", 404)


def view_outbox(draw: random.Random, me: Tenant, victim: Tenant) -> Attempt:
    cursor = min(victim.streams).replace(":", "%3A")[:-1]
    query = draw.choice(["", f"?cursor={cursor}", "?state=parked"])
    return Attempt("GET", draw.choice(["/api/outbox", f"/api/outbox/streams{query}"]), 200)


def read_replay(draw: random.Random, me: Tenant, victim: Tenant) -> Attempt:
    return Attempt("GET", f"/api/outbox/replay/{victim.replay}", 404)


Kind = Callable[[random.Random, Tenant, Tenant], Attempt]
KINDS: tuple[Kind, ...] = (
    read_entity,
    change_entity,
    delete_entity,
    move_job,
    create_with_reference,
    change_reference,
    list_entities,
    use_cursor,
    send_tenant_header,
    unpark_stream,
    view_outbox,
    read_replay,
)
