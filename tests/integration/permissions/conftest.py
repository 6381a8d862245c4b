"""The fixture `recorded`: every AWS call of every function."""

from uuid import UUID, uuid4

import boto3
import pytest

from chalicelib.config import Settings
from chalicelib.config.reader import from_env
from infra.aws import secrets
from infra.local.alertmanager import Alertmanager
from infra.local.emulator import REGION, Emulator
from infra.local.ports import free_port
from infra.local.ssm import LocalSsm
from tests.conftest import Compose
from tests.contract.autoheal_suites import create_tables
from tests.contract.test_lease_store import TABLE, create_table
from tests.integration.permissions.recorder import Recorder
from tests.integration.permissions.walkthrough import Calls, invocations
from tests.integration.test_alertmanager import VALUES


@pytest.fixture
def secret_values(database: Settings) -> dict[str, str]:
    return {
        "CURSOR_SECRET": "x" * 32,
        "DATABASE_URL": database.database.url,
        "KAFKA_PASSWORD": "not used here",
        "RELAY_DATABASE_URL": database.database.relay_url,
        "AUTOHEAL_WEBHOOK_TOKENS": "hook",
        "AUTOHEAL_LINK_SECRETS": "k" * 32,
        "METRICS_SCRAPE_TOKENS": "scrape",
    }


@pytest.fixture
def references(
    secret_values: dict[str, str], emulator: Emulator, ssm: LocalSsm
) -> list[dict[str, str]]:
    """Settings that refer to the secrets: in Secrets Manager, and in SSM."""
    names = {setting: secrets.name(setting, "local") for setting in secret_values}
    emulator.store_secrets({names[setting]: text for setting, text in secret_values.items()})
    store = ssm.client()
    for setting, text in secret_values.items():
        store.put_parameter(
            Name="/" + names[setting], Value=text, Type="SecureString", Overwrite=True
        )
    return [
        secrets.references(secret_values, "local"),
        {setting: f"ssm:/{name}" for setting, name in names.items()},
    ]


@pytest.fixture
def variables(
    emulator: Emulator,
    ssm: LocalSsm,
    alertmanager: Alertmanager,
    tenant: UUID,
    monkeypatch: pytest.MonkeyPatch,
) -> dict[str, str]:
    """The settings of every function, on the test's own AWS; the broker is down."""
    create_table(emulator.client("dynamodb"))
    alertmanager.start(VALUES)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", ssm.url)
    return {
        "IDEMPOTENCY_TABLE": TABLE,
        "TENANT_RATE_PER_SECOND": "1000",
        "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}",
        "KAFKA_REQUEST_TIMEOUT_MS": "200",
        "OPERATOR_TENANT_ID": str(tenant),
        "PUSHGATEWAY_URL": f"http://127.0.0.1:{free_port()}",
        "ALERTMANAGER_URL": alertmanager.url,
    }


@pytest.fixture
def recorded(
    emulator: Emulator,
    references: list[dict[str, str]],
    variables: dict[str, str],
    tenant: UUID,
    composed: Compose,
    monkeypatch: pytest.MonkeyPatch,
) -> Calls:
    """The calls of each function, with its secrets in one service and then in the other."""
    prefixes = [f"aetherlink-autoheal-{uuid4().hex[:8]}" for _ in references]
    for prefix in prefixes:
        create_tables(emulator.client("dynamodb"), prefix)
    monkeypatch.setenv("AWS_ENDPOINT_URL", emulator.url)  # after the emulator's own clients
    calls: Calls = {}
    for secret_settings, prefix in zip(references, prefixes, strict=True):
        settings = {**variables, "AUTOHEAL_TABLE_PREFIX": prefix, **secret_settings}
        for function, invoke in invocations(tenant).items():
            recorder = Recorder()
            session = boto3.session.Session()
            session.events.register("provide-client-params", recorder)
            monkeypatch.setattr(boto3, "DEFAULT_SESSION", session)
            composed(from_env(settings))
            invoke()
            calls[function] = calls.get(function, set()) | recorder.calls
    return calls
