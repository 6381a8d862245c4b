"""What the end-to-end tests share: one local stack and one deployed healer, started once a session.

One worker runs all of them (`WholeFiles` in tests/conftest.py). The stack starts in the background,
while the tests of the healer, which has an emulator of its own, go on.
"""

import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
import pytest

from infra.aws.package import build
from infra.local.alertmanager import Alertmanager
from infra.local.demo_services import DemoServices
from infra.local.emulator import Emulator
from infra.local.ports import Ports, free_port, port_setting
from infra.local.ssm import LocalSsm
from infra.local.stack import Stack
from infra.readiness.target import Target
from tests.e2e.healer import OPERATORS, SCHEDULED, TOKEN, Healer
from tests.e2e.readiness import reset, watch
from tests.e2e.routing import start_quickly
from tests.integration.proxy import Proxy


@contextmanager
def temporary_home() -> Iterator[Path]:
    """A folder that PostgreSQL's user may enter too, unlike pytest's own."""
    home = Path(tempfile.mkdtemp(prefix="aetherlink-e2e-"))
    home.chmod(0o711)
    yield home
    shutil.rmtree(home, ignore_errors=True)


@dataclass
class StartingStack:
    """The shared stack, and its API's URL once it is up."""

    stack: Stack
    api: Future[str]


def ports_environment(stack: Stack) -> dict[str, str]:
    """Return the settings with which a command finds the stack."""
    return {port_setting(name): str(port) for name, port in asdict(stack.ports).items()}


@pytest.fixture(scope="session")
def starting_stack() -> Iterator[StartingStack]:
    """Start the shared stack without waiting for it."""
    with temporary_home() as home, ThreadPoolExecutor(max_workers=1) as pool:
        stack = Stack(home, Ports.free(), fast=True)
        starting = StartingStack(stack, pool.submit(stack.up))
        try:
            yield starting
        finally:
            starting.api.exception()  # waits; whether it failed is the tests' matter
            stack.down()
        assert not processes_of(home), "no process is left behind"


def processes_of(home: Path) -> list[str]:
    """Return the command lines that name `home`."""
    processes = psutil.process_iter(["cmdline"])
    commands = [" ".join(process.info["cmdline"] or []) for process in processes]
    return [command for command in commands if str(home) in command]


@pytest.fixture(scope="session")
def api(starting_stack: StartingStack) -> str:
    """The URL of the shared stack's API, which answers."""
    return starting_stack.api.result()


@pytest.fixture(scope="session")
def stack(starting_stack: StartingStack, api: str) -> Stack:
    """The shared stack, up."""
    return starting_stack.stack


@pytest.fixture(scope="session")
def healer(home: Path, services: DemoServices, ssm: LocalSsm) -> Iterator[Healer]:
    """A deployed healer; it reaches DynamoDB through a proxy that can be cut.

    Its services are real, but it has neither a database nor a broker.
    """
    alertmanager = Alertmanager(home / "healer-alertmanager", free_port())
    unused = f"127.0.0.1:{free_port()}"
    with temporary_home() as folder:
        emulator = Emulator(folder / "emulator", free_port())
        emulator.start()
        try:
            with Proxy(emulator.port) as dynamodb:
                environment = {
                    "OIDC_ENABLED": "false",
                    "OPERATOR_TENANT_ID": str(OPERATORS),
                    "DATABASE_URL": f"postgresql://none:none@{unused}/none",
                    "RELAY_DATABASE_URL": f"postgresql://none:none@{unused}/none",
                    "KAFKA_BOOTSTRAP_SERVERS": unused,
                    "AWS_ENDPOINT_URL_DYNAMODB": f"http://127.0.0.1:{dynamodb.port}",
                    "AWS_ENDPOINT_URL_SSM": ssm.url,
                    "ALERTMANAGER_URL": alertmanager.url,
                    "AUTOHEAL_WEBHOOK_TOKENS": TOKEN,
                }
                app = build(folder / "package", stage="local", environment=environment)
                api = emulator.deploy(app, key="e2e")
                deployed = Healer(emulator, alertmanager, services, ssm, dynamodb, api)
                start_quickly(alertmanager, deployed.webhook())
                yield deployed
        finally:
            alertmanager.stop()
            emulator.stop()


@pytest.fixture
def target(stack: Stack) -> Target:
    """The shared stack as the readiness checks see it."""
    return Target.of_stack(stack)


@pytest.fixture(scope="module")
def watched_stack(stack: Stack, api: str) -> Iterator[None]:
    """Let the shared stack's Prometheus scrape each second; start without earlier tests' traces."""
    reset(stack, Target.of_stack(stack))
    watch(stack)
    stack.emulator.invoke("MetricsPush", SCHEDULED)
    yield
    stack.healing.prometheus.start(stack.healing.scrape_targets(api))
