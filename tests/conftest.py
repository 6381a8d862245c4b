"""Real parts for tests: one PostgreSQL and one Kafka broker a worker, on free ports, in temporary folders."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from chalicelib import bootstrap
from chalicelib.bootstrap import Container
from chalicelib.config import Settings
from chalicelib.shared.clock import Clock
from infra.aws.package import ROOT
from infra.local import alertmanager as alertmanager_part
from infra.local.alertmanager import Alertmanager
from infra.local.debian import program
from infra.local.demo_services import DemoServices
from infra.local.emulator import Emulator
from infra.local.kafka import Broker, choose
from infra.local.postgres import Postgres
from infra.local.process import PartFailed, free_port
from infra.local.ssm_agent import LocalSsm
from infra.ops import migrate, topics

os.environ["STAGE"] = "local"
os.environ["OIDC_ENABLED"] = "false"
for leaked in ("DATABASE_URL", "RELAY_DATABASE_URL", "AWS_ENDPOINT_URL"):
    os.environ.pop(leaked, None)
CACHE = ROOT / ".local" / "cache"


def pytest_report_header() -> list[str]:
    """Say which broker the suite uses."""
    broker = choose(Path(tempfile.gettempdir()), 0, CACHE)
    names = {
        "apache": "Apache Kafka (KRaft)",
        "embedded": "the embedded one (librdkafka's mock)",
        "external": "external",
    }
    return [f"kafka broker: {names[broker.kind]}"]


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    """A folder that PostgreSQL's user may enter too, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="aetherlink-test-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(home: Path) -> Iterator[Postgres]:
    """A real PostgreSQL, not durable, with one migrated database."""
    server = Postgres(home / "postgres", free_port(), fast=True)
    server.start()
    try:
        server.create_database()
        migrate.upgrade(server.url())
        passwords = server.passwords()
        migrate.set_passwords(server.url(), {role: passwords[role] for role in migrate.LOGIN_ROLES})
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def broker(home: Path) -> Iterator[Broker]:
    """A real broker with the product's topics."""
    chosen = choose(home / "kafka", free_port(), CACHE)
    chosen.start(topics.wanted(Settings()))
    try:
        yield chosen
    finally:
        chosen.stop()


@pytest.fixture(scope="session")
def emulator(home: Path) -> Iterator[Emulator]:
    """A real AWS emulator."""
    made = Emulator(home / "emulator", free_port())
    made.start()
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="session")
def services(home: Path) -> Iterator[DemoServices]:
    """Demo services that really run, to be healed."""
    made = DemoServices(home / "services", {"crm-api": free_port(), "crm-exporter": free_port()})
    made.start()
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="session")
def ssm(home: Path, services: DemoServices) -> Iterator[LocalSsm]:
    """A Systems Manager that really runs what it is sent."""
    made = LocalSsm(home / "ssm", free_port(), services.bin, services.ports)
    made.start()
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def alertmanager(home: Path) -> Iterator[Alertmanager]:
    """A real Alertmanager, not started yet; tests that need it are skipped where it is not to be had."""
    try:
        program(alertmanager_part.PACKAGE, alertmanager_part.NAME, CACHE)
    except PartFailed as problem:
        pytest.skip(f"no Alertmanager on this machine: {problem}")
    made = Alertmanager(home / f"alertmanager-{uuid4().hex[:8]}", free_port(), CACHE)
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture
def database(postgres: Postgres) -> Iterator[Settings]:
    """Settings that lead to the database, whose rows are gone afterwards."""
    yield Settings().changed(
        database={
            "url": postgres.url("aetherlink_api"),
            "relay_url": postgres.url("aetherlink_relay"),
        }
    )
    with postgres.connect() as connection:
        connection.execute_simple(
            "TRUNCATE account, contact, job, outbox_event, outbox_stream, outbox_archive, outbox_replay, outbox_audit,"
            " idempotent_request;"
            "UPDATE outbox_shard SET owner = NULL, lease_until = '-infinity', retry_at = '-infinity'"
        )


@pytest.fixture
def tenant() -> UUID:
    """A tenant of this test's own."""
    return uuid4()


class Compose:
    """Installs containers for one test."""

    def __call__(self, settings: Settings, clock: Clock | None = None) -> Container:
        """Make the process use a new container with `settings` (and `clock`); return it."""
        made = Container(settings, clock)
        bootstrap.use(made)
        return made


@pytest.fixture
def composed() -> Iterator[Compose]:
    """Return what installs a container with given settings until the test's end."""
    before = bootstrap.use(None)
    yield Compose()
    bootstrap.use(before)
