"""Tenants with data of every kind, and callers of one API for each of them."""

import json
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from chalice.test import Client, HTTPResponse

from tests.issuer import Issuer

COLLECTIONS = ("accounts", "contacts", "jobs")
TENANTS = 4
ENTITIES_PER_COLLECTION = 3
PENDING_EVENTS = 3
"""A tenant's events that wait: those of its jobs."""
PARKED_STREAMS = 6
"""A tenant's other streams, which are parked."""
PERIOD = {"since": "2020-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"}


@dataclass
class Tenant:
    """A tenant with data of every kind.

    Every text that it stores contains its marker, which no other tenant ever sends.
    """

    id: UUID = field(default_factory=uuid4)
    marker: str = field(default_factory=lambda: uuid4().hex)
    token: str = ""
    ids: dict[str, list[str]] = field(default_factory=dict)
    emails: list[str] = field(default_factory=list)
    cursors: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[str, bytes]] = field(default_factory=list)
    """Path and body of each request that it sent under the key `key-<index>`."""
    streams: list[str] = field(default_factory=list)
    replay: str = ""


class Tenants:
    """Callers of one API, each for a tenant of its own."""

    def __init__(self, client: Client, issuer: Issuer) -> None:
        self.client = client
        self.issuer = issuer
        self.all = [Tenant() for _ in range(TENANTS)]
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
        """Send a request with the token of `tenant`; a body that is not bytes is sent as JSON."""
        if body is None:
            body = b""
        elif not isinstance(body, bytes):
            body = json.dumps(body).encode()
        common = {"Authorization": f"Bearer {tenant.token}", "Content-Type": "application/json"}
        return self.client.http.request(
            method, path, headers={**common, **(headers or {})}, body=body
        )

    def _fill(self, tenant: Tenant) -> None:
        for number in range(ENTITIES_PER_COLLECTION):
            name = f"{tenant.marker} {number}"
            email = f"{tenant.marker}-{number}@example.test"
            tenant.emails.append(email)
            account = self._create(tenant, "accounts", {"name": name})
            contact = self._create(
                tenant, "contacts", {"name": name, "email": email, "accountId": account}
            )
            self._create(
                tenant, "jobs", {"title": name, "accountId": account, "contactId": contact}
            )
        for collection in COLLECTIONS:
            page = self.send(tenant, "GET", f"/api/crm/{collection}?limit=1").json_body
            tenant.cursors[collection] = page["nextCursor"]
        replay = self.send(tenant, "POST", "/api/outbox/replay", PERIOD).json_body
        tenant.replay = replay["id"]

    def _create(self, tenant: Tenant, collection: str, body: dict[str, Any]) -> str:
        path = f"/api/crm/{collection}"
        raw = json.dumps(body).encode()
        key = f"key-{len(tenant.requests)}"
        response = self.send(tenant, "POST", path, raw, {"Idempotency-Key": key})
        assert response.status_code == 201, response.body
        entity_id = str(response.json_body["id"])
        tenant.requests.append((path, raw))
        tenant.ids.setdefault(collection, []).append(entity_id)
        tenant.streams.append(f"{collection[:-1]}:{entity_id}")
        return entity_id
