"""From requests and events to Prometheus text, over /metrics and a real Pushgateway."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import pytest
import requests
from chalice.test import Client
from prometheus_client.parser import text_string_to_metric_families

import app
from chalicelib.autoheal.heal import Healer
from chalicelib.bootstrap import container
from chalicelib.config import Settings
from chalicelib.entrypoints import schedule
from chalicelib.telemetry.request_metrics import RequestMetrics
from infra.local.emulator import Emulator
from infra.local.kafka import Broker
from infra.local.ports import free_port
from infra.local.pushgateway import LocalPushgateway
from tests.builders.alerts import delivery, raw_alert
from tests.conftest import Compose
from tests.contract.autoheal_suites import create_tables
from tests.integration.test_pushgateway import gateway as gateway

INVOCATIONS = 1_000
AT_ONCE = 50
PATIENCE_SECONDS = 10
"""How long to wait for an answer. A function that ends before its counts are added loses them,
so a slow machine must not look like a store that is down."""
SCRAPE = {"Authorization": "Bearer scrape"}
Numbers = dict[str, float]
REQUESTS = "crm_http_requests_total{code=200,method=GET,route=/api/crm/jobs/{id}}"


class Context:
    """The context of a Lambda invocation."""

    def __init__(self) -> None:
        self.aws_request_id = str(uuid4())

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 30_000


def read(text: str) -> Numbers:
    """Return Prometheus text as numbers, named without what a pushgateway adds."""
    numbers = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(
                f"{k}={v}" for k, v in sorted(sample.labels.items()) if k not in ("job", "instance")
            )
            name = f"{sample.name}{{{labels}}}" if labels else sample.name
            numbers[name] = sample.value
    return numbers


@pytest.fixture
def settings(
    emulator: Emulator, database: Settings, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    prefix = f"t{uuid4().hex[:12]}"
    create_tables(emulator.client("dynamodb"), prefix)
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL_DYNAMODB", emulator.url),
    ):
        monkeypatch.setenv(name, value)
    return database.changed(
        operator_tenant_id=UUID(int=7),
        autoheal_store={"table_prefix": prefix, "timeout_seconds": PATIENCE_SECONDS},
        shared_secrets={"metrics_scrape_tokens": ("scrape",)},
        kafka={
            "bootstrap_servers": broker.bootstrap_servers,
            "api_version": broker.api_version,
        },
    )


class World:
    """The API in one process, and its scraper."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        defaults = {
            "X-Tenant-Id": str(UUID(int=7)),
            "X-Roles": "sales",
            "Content-Type": "application/json",
            **headers,
        }
        return self.client.http.request(
            method, path, headers=defaults, body=json.dumps(body).encode()
        )

    def numbers(self) -> Numbers:
        """Return the numbers of /metrics."""
        answer = self.client.http.get("/metrics", headers=SCRAPE)
        assert answer.status_code == 200, answer.body
        return read(answer.body.decode())


@pytest.fixture
def world(settings: Settings, composed: Compose) -> Iterator[World]:
    composed(settings)
    with Client(app.app, stage_name="local") as client:
        yield World(client)


def test_a_thousand_invocations_at_once_are_a_thousand_everywhere(
    world: World, settings: Settings, composed: Compose, gateway: LocalPushgateway
) -> None:
    composed(
        settings.changed(pushgateway={"url": gateway.url, "timeout_seconds": PATIENCE_SECONDS})
    )

    def invocation(_: int) -> None:
        metrics = RequestMetrics(lambda: container().telemetry.totals, container().clock)
        metrics.count(method="GET", route="/api/crm/jobs/{id}", status=200, seconds=0.01)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(invocation, range(INVOCATIONS)))
    now = container().clock.now()
    store = container().autoheal.dependencies.store
    assert store.hold(schedule.PUSH_LEASE, "another", now, now + schedule.PUSH_LEASE_TIME)
    assert schedule.run_metrics_push(Context()) == {"skipped": True}
    store.release(schedule.PUSH_LEASE, "another")
    pushed = [schedule.run_metrics_push(Context()), schedule.run_metrics_push(Context())]
    assert [result.get("pushed") for result in pushed] == [True, True]
    scraped = world.numbers()
    published = read(requests.get(f"{gateway.url}/metrics", timeout=5).text)
    for numbers in (scraped, published):
        assert numbers[REQUESTS] == INVOCATIONS
        assert numbers["crm_http_request_duration_seconds_count{code=200}"] >= INVOCATIONS
    gateway.kill()
    gateway.start()
    assert REQUESTS not in read(requests.get(f"{gateway.url}/metrics", timeout=5).text)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: _push(), range(4)))
    assert read(requests.get(f"{gateway.url}/metrics", timeout=5).text)[REQUESTS] == INVOCATIONS


def _push() -> None:
    """Push without the lease, as two pushers with overlapping leases would."""
    from chalicelib.entrypoints.metrics import everything
    from chalicelib.telemetry.pusher import publish

    pusher = container().telemetry.pusher
    assert pusher is not None
    publish(everything(), pusher)


def test_the_outbox_s_backlog_is_measured_and_the_relay_counts_what_it_published(
    world: World,
) -> None:
    before = world.numbers()
    assert before["outbox_pending"] == before["outbox_published_total"] == 0
    assert world.request("POST", "/api/crm/accounts", {"name": "Miller"}).status_code == 201
    waiting = world.numbers()
    assert waiting["outbox_pending"] == 1
    assert 0 < waiting["outbox_oldest_pending_timestamp"] <= container().clock.now().timestamp()
    assert container().outbox.relay().run(30, until_idle=True).published == 1
    after = world.numbers()
    assert (
        after["outbox_pending"],
        after["outbox_published_total"],
        after["outbox_parked_streams"],
    ) == (0, 1, 0)
    assert after["outbox_publish_duration_seconds_count"] >= 1
    assert after["outbox_failed_total"] == after["outbox_parked_total"] == 0


def test_without_the_database_its_metrics_are_missing_and_all_others_are_current(
    world: World, settings: Settings, composed: Compose
) -> None:
    composed(
        settings.changed(
            database={"relay_url": f"postgresql://nobody:x@127.0.0.1:{free_port()}/none"}
        )
    )
    numbers = world.numbers()
    assert "outbox_pending" not in numbers
    assert numbers["outbox_published_total"] == 0


def test_the_first_failure_of_a_route_is_an_increase(
    world: World, settings: Settings, composed: Compose
) -> None:
    failed = "crm_http_requests_total{code=503,method=GET,route=/api/crm/jobs}"
    assert world.numbers()[failed] == 0
    composed(
        settings.changed(database={"url": f"postgresql://nobody:x@127.0.0.1:{free_port()}/none"})
    )
    assert world.request("GET", "/api/crm/jobs").status_code == 503
    composed(settings)
    assert world.numbers()[failed] == 1


def test_audit_writes_meet_their_objective(
    world: World, settings: Settings, composed: Compose
) -> None:
    composed(settings.changed(autoheal={"enabled": True}))
    healer = Healer(container().autoheal.dependencies)
    for _ in range(40):
        healer.receive(delivery(raw_alert(fingerprint=uuid4().hex[:16], autoheal=None)), seconds=10)
    numbers = world.numbers()
    count = numbers["autoheal_audit_write_seconds_count"]
    fast = numbers["autoheal_audit_write_seconds_bucket{le=0.2}"]
    assert count >= 40
    assert fast / count >= 0.95
