"""The container makes each service once, when first needed; a test can replace any of them."""

import subprocess
import sys

import pytest

from chalicelib import bootstrap
from chalicelib.adapters.dev_identity import HeaderIdentity
from chalicelib.bootstrap import Container
from chalicelib.config import Settings
from chalicelib.security.identity import Principal
from chalicelib.shared.errors import Misconfigured, Unavailable
from infra.paths import ROOT
from tests.conftest import Compose
from tests.fakes.clock import FakeClock

SERVICES = ("access", "crm", "idempotency", "outbox", "autoheal", "secrets", "telemetry")
EXPENSIVE = ("boto3", "kafka", "sqlalchemy", "pg8000", "jwt")


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_made_once(name: str) -> None:
    container = Container(Settings())
    assert getattr(container, name) is getattr(container, name)


def test_containers_share_nothing() -> None:
    first = Container(Settings(), FakeClock())
    second = Container(Settings(), FakeClock())
    assert first.access.authenticator is not second.access.authenticator
    assert first.clock is not second.clock


def test_a_fake_takes_the_place_of_a_service() -> None:
    class Refusing(HeaderIdentity):
        def authenticate(self, headers: object) -> Principal:
            raise Unavailable("refused by the fake")

    container = Container(Settings())
    fake = Refusing()
    container.access.authenticator = fake
    assert container.access.authenticator is fake


def test_the_process_uses_the_container_that_was_installed_last(composed: Compose) -> None:
    container = composed(Settings().changed(log_level="ERROR"))
    assert bootstrap.container() is container
    assert bootstrap.use(None) is container
    assert bootstrap.use(container) is None


def test_a_container_reads_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTBOX_SHARDS", "16")
    assert Container.from_env().settings.outbox.shards == 16
    monkeypatch.setenv("OUTBOX_SHARDS", "many")
    with pytest.raises(Misconfigured, match="OUTBOX_SHARDS"):
        Container.from_env()


def test_a_deployment_without_a_healer_says_so() -> None:
    with pytest.raises(Unavailable) as refused:
        _ = Container(Settings()).autoheal.dependencies
    assert refused.value.code == "autoheal-not-set-up"


def test_making_the_services_loads_no_client_library() -> None:
    code = (
        "import sys; from chalicelib.bootstrap import Container;"
        "from chalicelib.config import Settings;"
        f"container = Container(Settings()); [getattr(container, name) for name in {SERVICES!r}];"
        f"print([name for name in {EXPENSIVE!r} if name in sys.modules])"
    )
    command = [sys.executable, "-c", code]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == "[]"
