"""The fixture `api`: a client of the API for one tenant."""

from collections.abc import Iterator
from uuid import UUID

import pytest
from chalice.test import Client

import app
from chalicelib.config import Settings
from tests.conftest import Compose
from tests.integration.api.client import Api


@pytest.fixture
def api(database: Settings, composed: Compose, tenant: UUID) -> Iterator[Api]:
    composed(database)
    with Client(app.app, stage_name="local") as client:
        yield Api(client, tenant)
