"""The API with every secret in AWS Secrets Manager, and control over all parts."""

import json
from datetime import timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

from chalice.test import Client, HTTPResponse

import app
from chalicelib.shared.clock import SystemClock
from infra.local.postgres import Postgres
from tests.integration.proxy import Proxy

REFRESH_SECONDS = 300.0
CANARY = "c4n4ry"
"""A secret that must appear nowhere."""


class LateClock(SystemClock):
    """The system clock, moved forward by `passed` seconds."""

    passed = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.passed

    def now(self) -> Any:
        return super().now() + timedelta(seconds=self.passed)


class SecretsWorld:
    """The API with its secrets in a store, and control over the store, database and time."""

    def __init__(
        self, manager: Any, postgres: Postgres, clock: LateClock, proxy: Proxy, tenant: UUID
    ) -> None:
        self.manager = manager
        self.postgres = postgres
        self.clock = clock
        self.proxy = proxy
        self.tenant = tenant
        self.name = f"aetherlink/test/{uuid4()}"
        self.kept: dict[str, Any] = {}

    def keep(self, **values: Any) -> None:
        self.kept |= values
        text = json.dumps(self.kept)
        try:
            self.manager.create_secret(Name=self.name, SecretString=text)
        except self.manager.exceptions.ResourceExistsException:
            self.manager.put_secret_value(SecretId=self.name, SecretString=text)

    def url(self, role: str, password: str) -> str:
        address = f"127.0.0.1:{self.postgres.port}"
        return f"postgresql://{role}:{quote(password, safe='')}@{address}/aetherlink"

    def change_password(self, role: str, password: str) -> None:
        """Change the password, and end the sessions that used the old one."""
        with self.postgres.connect() as connection:
            connection.execute_simple(f"ALTER ROLE {role} PASSWORD '{password}'")
            connection.execute_simple(
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'"
            )

    def send(
        self, method: str, path: str, body: Any = None, *, role: str = "sales"
    ) -> HTTPResponse:
        headers = {
            "X-Tenant-Id": str(self.tenant),
            "X-Roles": role,
            "Content-Type": "application/json",
        }
        with Client(app.app, stage_name="local") as client:
            return client.http.request(
                method, path, headers=headers, body=json.dumps(body or {}).encode()
            )

    def create(self) -> HTTPResponse:
        return self.send("POST", "/api/crm/accounts", {"name": "Northwind"})
