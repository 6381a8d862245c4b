"""What the tests of tenancy share."""

from collections.abc import Iterator

import pytest
from chalice.test import Client

import app
from chalicelib.config import Settings
from infra.local.postgres import Postgres
from tests.conftest import Compose
from tests.integration.tenancy.world import Tenants
from tests.issuer import running


@pytest.fixture
def tenants(database: Settings, composed: Compose, postgres: Postgres) -> Iterator[Tenants]:
    """Tenants with data; the streams of all but their jobs are parked."""
    urls = {"database": {"url": database.database.url, "relay_url": database.database.relay_url}}
    with running() as issuer, Client(app.app, stage_name="local") as client:
        composed(issuer.settings(**urls))
        tenants = Tenants(client, issuer)
        with postgres.connect() as connection:
            parked = "SET parked = true WHERE stream_key NOT LIKE 'job:%'"
            connection.execute_simple(
                f"UPDATE outbox_stream {parked}; UPDATE outbox_event {parked}"
            )
        yield tenants
