"""Real services for tests, on free ports and in temporary folders, started when first needed."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID, uuid4

import pytest
from xdist.scheduler import LoadFileScheduling

from chalicelib import bootstrap
from chalicelib.bootstrap import Container
from chalicelib.config import Settings
from chalicelib.shared.clock import Clock
from infra.local.alertmanager import Alertmanager
from infra.local.data import migrate_database
from infra.local.demo_services import DemoServices
from infra.local.emulator import Emulator
from infra.local.errors import ServiceFailed
from infra.local.kafka import Broker, choose
from infra.local.ports import free_port
from infra.local.postgres import Postgres
from infra.local.ssm import LocalSsm
from infra.ops import topics
from infra.paths import CACHE as CACHE

SLOWEST = (
    "e2e",
    "faults/test_idempotency",
    "test_slo_rules",
    "faults/test_faults",
    "test_package",
    "tenancy",
    "permissions",
)
"""Parts of the names of the units that take longest, the longest first."""

OWN_STACK = ("tests/e2e/test_first_hour.py", "tests/e2e/test_services.py")
"""End-to-end tests that start stacks or services of their own."""


class Stoppable(Protocol):
    """A service that a test started."""

    def stop(self) -> None:
        """Shut it down."""
        ...


os.environ["STAGE"] = "local"
os.environ["OIDC_ENABLED"] = "false"
for leaked in ("DATABASE_URL", "RELAY_DATABASE_URL", "AWS_ENDPOINT_URL"):
    os.environ.pop(leaked, None)


def pytest_report_header() -> list[str]:
    """Return a line that names the Kafka broker of this run."""
    broker = choose(Path(tempfile.gettempdir()), 0, CACHE)
    names = {
        "apache": "Apache Kafka (KRaft)",
        "embedded": "embedded (librdkafka's mock)",
        "external": "external",
    }
    return [f"kafka broker: {names[broker.kind]}"]


class WholeFiles(LoadFileScheduling):  # type: ignore[misc] # xdist has no types here
    """Lets a worker run whole files, and one worker every file that uses the shared stack.

    xdist's own `loadgroup` groups nothing since pytest 9: it changes an attribute of tests that
    pytest no longer reads.
    """

    def _split_scope(self, nodeid: str) -> str:
        """Return what the test of `nodeid` stays together with."""
        return unit_of(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> WholeFiles:
    """Divide the tests among the workers of `-n` by whole files."""
    return WholeFiles(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the slowest units first, so that the workers finish at about the same time."""
    items.sort(key=_rank)


def unit_of(nodeid: str) -> str:
    """Return the file of a test, or `e2e` where it uses the stack that these tests share."""
    file = nodeid.partition("::")[0]
    shares_stack = file.startswith("tests/e2e/") and file not in OWN_STACK
    return "e2e" if shares_stack else file


def _rank(item: pytest.Item) -> int:
    """Return the place of the item's unit among the slowest, or the number of those."""
    unit = unit_of(item.nodeid)
    ranks = [rank for rank, part in enumerate(SLOWEST) if part in unit]
    return min(ranks, default=len(SLOWEST))


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    """A folder that PostgreSQL's user may enter too, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="aetherlink-test-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def stopped_afterwards(service: Stoppable) -> Iterator[None]:
    """Stop `service` after the block."""
    try:
        yield
    finally:
        service.stop()


@pytest.fixture(scope="session")
def postgres(home: Path) -> Iterator[Postgres]:
    """A real PostgreSQL, not durable, with one migrated database."""
    server = Postgres(home / "postgres", free_port(), fast=True)
    with stopped_afterwards(server):
        server.start()
        migrate_database(server)
        yield server


@pytest.fixture(scope="session")
def broker(home: Path) -> Iterator[Broker]:
    """A real broker with the product's topics."""
    server = choose(home / "kafka", free_port(), CACHE)
    with stopped_afterwards(server):
        server.start(topics.wanted(Settings()))
        yield server


@pytest.fixture(scope="session")
def emulator(home: Path) -> Iterator[Emulator]:
    """A real AWS emulator."""
    server = Emulator(home / "emulator", free_port())
    with stopped_afterwards(server):
        server.start()
        yield server


@pytest.fixture(scope="session")
def services(home: Path) -> Iterator[DemoServices]:
    """Demo services that really run and can be healed."""
    ports = {"crm-api": free_port(), "crm-exporter": free_port()}
    demo_services = DemoServices(home / "services", ports)
    with stopped_afterwards(demo_services):
        demo_services.start()
        yield demo_services


@pytest.fixture(scope="session")
def ssm(home: Path, services: DemoServices) -> Iterator[LocalSsm]:
    """A Systems Manager that really runs the commands that it is sent."""
    server = LocalSsm(home / "ssm", free_port(), services.bin, services.ports)
    with stopped_afterwards(server):
        server.start()
        yield server


@pytest.fixture(scope="module")
def alertmanager(home: Path) -> Iterator[Alertmanager]:
    """A real Alertmanager, not started yet; skips where there is none for this machine."""
    server = Alertmanager(home / f"alertmanager-{uuid4().hex[:8]}", free_port(), CACHE)
    try:
        server.program()
    except ServiceFailed as error:
        pytest.skip(f"there is no Alertmanager on this machine: {error}")
    with stopped_afterwards(server):
        yield server


@pytest.fixture
def database(postgres: Postgres) -> Iterator[Settings]:
    """Settings of the database, whose rows are deleted afterwards."""
    yield Settings().changed(
        database={
            "url": postgres.database_url("aetherlink_api"),
            "relay_url": postgres.database_url("aetherlink_relay"),
        }
    )
    with postgres.connect() as connection:
        connection.execute_simple(
            "TRUNCATE account, contact, job, outbox_event, outbox_stream, outbox_archive,"
            " outbox_replay, outbox_audit, idempotent_request;"
            "UPDATE outbox_shard"
            " SET owner = NULL, lease_until = '-infinity', retry_at = '-infinity'"
        )


@pytest.fixture
def tenant() -> UUID:
    """A tenant that no other test uses."""
    return uuid4()


class Compose:
    """Installs containers for one test."""

    def __call__(self, settings: Settings, clock: Clock | None = None) -> Container:
        """Make the process use a new container with `settings` (and `clock`); return it."""
        container = Container(settings, clock)
        bootstrap.use(container)
        return container


@pytest.fixture
def composed() -> Iterator[Compose]:
    """Return what installs a container until the test ends."""
    before = bootstrap.use(None)
    yield Compose()
    bootstrap.use(before)
