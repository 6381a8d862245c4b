"""The API of a healer whose DynamoDB, Systems Manager and Alertmanager are real."""

from collections.abc import Iterator

import pytest

from infra.local.alertmanager import Alertmanager
from infra.local.emulator import Emulator
from infra.local.ssm import LocalSsm
from tests.conftest import Compose
from tests.integration.autoheal.api import Api, autoheal_settings, running_api


@pytest.fixture
def api(
    emulator: Emulator,
    ssm: LocalSsm,
    alertmanager: Alertmanager,
    composed: Compose,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Api]:
    settings = autoheal_settings(emulator, ssm, alertmanager, monkeypatch)
    yield from running_api(settings, composed)
