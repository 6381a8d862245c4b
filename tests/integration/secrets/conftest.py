"""The fixture `world`: the API with its secrets in a store."""

from collections.abc import Iterator
from uuid import UUID

import pytest

from chalicelib.config import Settings
from chalicelib.telemetry import logs
from infra.local.emulator import REGION, Emulator
from infra.local.postgres import Postgres
from tests.conftest import Compose
from tests.integration.proxy import Proxy
from tests.integration.secrets.world import REFRESH_SECONDS, LateClock, SecretsWorld


@pytest.fixture
def world(
    emulator: Emulator,
    postgres: Postgres,
    database: Settings,
    tenant: UUID,
    composed: Compose,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[SecretsWorld]:
    clock = LateClock()
    with Proxy(emulator.port) as proxy:
        world = SecretsWorld(emulator.client("secretsmanager"), postgres, clock, proxy, tenant)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "test")
        monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
        monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", f"http://127.0.0.1:{proxy.port}")
        world.keep(api=database.database.url, relay=database.database.relay_url, cursors="first")
        composed(
            database.changed(
                database={
                    "url": f"secretsmanager:{world.name}#api",
                    "relay_url": f"secretsmanager:{world.name}#relay",
                },
                http={"cursor_secret": f"secretsmanager:{world.name}#cursors"},
                secrets={"refresh_seconds": REFRESH_SECONDS, "timeout_seconds": 0.3},
            ),
            clock,
        )
        logs.configure("INFO")
        yield world
        passwords = postgres.passwords()
        for role in ("aetherlink_api", "aetherlink_relay"):
            world.change_password(role, passwords[role])
