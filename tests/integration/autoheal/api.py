"""The healer's API in one process, on a real DynamoDB API, SSM and Alertmanager."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest
from chalice.test import Client, HTTPResponse

import app
from chalicelib.config import Settings
from infra.local.alertmanager import Alertmanager
from infra.local.emulator import Emulator
from infra.local.ssm import LocalSsm
from tests.builders.alerts import delivery
from tests.conftest import Compose
from tests.contract.autoheal_suites import create_tables
from tests.integration.test_alertmanager import VALUES

WEBHOOK = {"Authorization": "Bearer new-token", "Content-Type": "application/json"}


@dataclass
class Api:
    """A caller of the API."""

    client: Client
    settings: Settings
    roles: str = "ops"

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
    ) -> HTTPResponse:
        raw = (
            body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        )
        defaults = {
            "X-Tenant-Id": str(UUID(int=7)),
            "X-Roles": self.roles,
            "Content-Type": "application/json",
        }
        return self.client.http.request(
            method, path, headers=defaults if headers is None else headers, body=raw
        )

    def deliver(self, *alerts: Any, **more: Any) -> HTTPResponse:
        return self("POST", "/autoheal/alert", delivery(*alerts, **more), headers=WEBHOOK)

    def live(self) -> None:
        answer = self("PUT", "/autoheal/config", {"mode": "live"})
        assert answer.status_code == 200, answer.body

    def states(self) -> list[str]:
        return [action["state"] for action in self("GET", "/autoheal/actions").json_body["items"]]


def autoheal_settings(
    emulator: Emulator,
    ssm: LocalSsm,
    alertmanager: Alertmanager,
    monkeypatch: pytest.MonkeyPatch,
) -> Settings:
    """Return the settings of a healer with tables of its own."""
    prefix = f"t{uuid4().hex[:12]}"
    create_tables(emulator.client("dynamodb"), prefix)
    alertmanager.start(VALUES)
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL_DYNAMODB", emulator.url),
        ("AWS_ENDPOINT_URL_SSM", ssm.url),
    ):
        monkeypatch.setenv(name, value)
    return Settings().changed(
        operator_tenant_id=UUID(int=7),
        autoheal_store={"table_prefix": prefix},
        shared_secrets={
            "webhook_tokens": ("old-token", "new-token"),
            "metrics_scrape_tokens": ("scrape",),
            "link_secrets": ("k" * 32,),
        },
        autoheal={"public_url": "https://aetherlink.test/api"},
        alertmanager={"url": alertmanager.url},
    )


def running_api(settings: Settings, composed: Compose) -> Iterator[Api]:
    """Yield the API with `settings`."""
    composed(settings)
    with Client(app.app, stage_name="local") as client:
        yield Api(client, settings)
