"""From a request or an event to Prometheus text: the ledger, /metrics and a real pushgateway tell the same."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
import requests
from chalice.test import Client
from prometheus_client.parser import text_string_to_metric_families

import app
from chalicelib import bootstrap, bootstrap_healing, bootstrap_outbox
from chalicelib.autoheal.buffer import RequestMetrics
from chalicelib.autoheal.heal import Healer
from chalicelib.config import Settings
from chalicelib.entrypoints import schedule
from infra.local.emulator import Emulator
from infra.local.kafka import Broker
from infra.local.process import free_port
from infra.local.pushgateway import LocalPushgateway
from tests.builders_autoheal import delivery, raw_alert
from tests.contract.autoheal_suites import create_tables
from tests.integration.test_pushgateway import gateway as gateway

INVOCATIONS, AT_ONCE = 1_000, 50
SCRAPE = {"Authorization": "Bearer scrape"}
Numbers = dict[str, float]
REQUESTS = "crm_http_requests_total{code=200,method=GET,route=/api/crm/jobs/{id}}"


class Context:
    """What Lambda tells an invocation."""

    def __init__(self) -> None:
        self.aws_request_id = str(uuid4())

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 30_000


def read(text: str) -> Numbers:
    """Return Prometheus text as numbers, named without what a pushgateway adds."""
    found = {}
    for family in text_string_to_metric_families(text):
        for one in family.samples:
            labels = ",".join(f"{k}={v}" for k, v in sorted(one.labels.items()) if k not in ("job", "instance"))
            found[f"{one.name}{{{labels}}}" if labels else one.name] = one.value
    return found


@pytest.fixture
def settings(emulator: Emulator, database: Settings, broker: Broker, monkeypatch: pytest.MonkeyPatch) -> Settings:
    prefix = f"t{uuid4().hex[:12]}"
    create_tables(emulator.client("dynamodb"), prefix)
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL_DYNAMODB", emulator.url),
    ):
        monkeypatch.setenv(name, value)
    return replace(
        database,
        autoheal_table_prefix=prefix,
        metrics_scrape_tokens=("scrape",),
        kafka_bootstrap_servers=broker.bootstrap_servers,
        kafka_api_version=broker.api_version,
        operator_tenant_id=UUID(int=7),
    )


class World:
    """The API in one process, and its scraper."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        mine = {"X-Tenant-Id": str(UUID(int=7)), "X-Roles": "sales", "Content-Type": "application/json", **headers}
        return self.client.http.request(method, path, headers=mine, body=json.dumps(body).encode())

    def numbers(self) -> Numbers:
        """Return what /metrics answers."""
        answer = self.client.http.get("/metrics", headers=SCRAPE)
        assert answer.status_code == 200, answer.body
        return read(answer.body.decode())


@pytest.fixture
def world(settings: Settings, composed: Callable[[Settings], None]) -> Iterator[World]:
    composed(settings)
    with Client(app.app, stage_name="local") as client:
        yield World(client)


def test_a_thousand_invocations_at_once_are_a_thousand_everywhere(
    world: World, settings: Settings, composed: Callable[[Settings], None], gateway: LocalPushgateway
) -> None:
    composed(replace(settings, pushgateway_url=gateway.url))

    def invocation(_: int) -> None:
        metrics = RequestMetrics(bootstrap_healing.ledger, bootstrap.clock())
        metrics.count(method="GET", route="/api/crm/jobs/{id}", status=200, seconds=0.01)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(invocation, range(INVOCATIONS)))
    now = bootstrap.clock().now()
    store = bootstrap_healing.healing().store
    assert store.hold(schedule.PUSH_LEASE, "another", now, now + schedule.PUSH_LEASE_TIME)
    assert schedule.run_metrics_push(Context()) == {"skipped": True}
    store.release(schedule.PUSH_LEASE, "another")
    pushed = [schedule.run_metrics_push(Context()), schedule.run_metrics_push(Context())]
    assert [one.get("pushed") for one in pushed] == [True, True]
    shown, kept = world.numbers(), read(requests.get(f"{gateway.url}/metrics", timeout=5).text)
    for numbers in (shown, kept):
        assert numbers[REQUESTS] == INVOCATIONS
        assert numbers["crm_http_request_duration_seconds_count{code=200}"] >= INVOCATIONS
    gateway.kill()
    gateway.start()
    assert REQUESTS not in read(requests.get(f"{gateway.url}/metrics", timeout=5).text)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: _push(), range(4)))
    assert read(requests.get(f"{gateway.url}/metrics", timeout=5).text)[REQUESTS] == INVOCATIONS


def _push() -> None:
    """Push without asking for the lease, as two pushers would whose leases overlap."""
    from chalicelib.autoheal.exposition import publish
    from chalicelib.entrypoints.metrics import everything

    pusher = bootstrap_healing.pusher()
    assert pusher is not None
    publish(everything(), pusher)


def test_the_outbox_is_told_as_it_stands_and_the_relay_counts_what_it_published(world: World) -> None:
    before = world.numbers()
    assert before["outbox_pending"] == before["outbox_published_total"] == 0
    assert world.request("POST", "/api/crm/accounts", {"name": "Miller"}).status_code == 201
    waiting = world.numbers()
    assert waiting["outbox_pending"] == 1
    assert 0 < waiting["outbox_oldest_pending_timestamp"] <= bootstrap.clock().now().timestamp()
    assert bootstrap_outbox.relay().run(30, until_idle=True).published == 1
    after = world.numbers()
    assert (after["outbox_pending"], after["outbox_published_total"], after["outbox_parked_streams"]) == (0, 1, 0)
    assert after["outbox_publish_duration_seconds_count"] >= 1
    assert after["outbox_failed_total"] == after["outbox_parked_total"] == 0


def test_with_the_database_away_the_rest_is_told_and_no_old_number(
    world: World, settings: Settings, composed: Callable[[Settings], None]
) -> None:
    composed(replace(settings, relay_database_url=f"postgresql://nobody:x@127.0.0.1:{free_port()}/none"))
    numbers = world.numbers()
    assert "outbox_pending" not in numbers
    assert numbers["outbox_published_total"] == 0


def test_a_failing_route_is_seen_to_fail_the_first_time(
    world: World, settings: Settings, composed: Callable[[Settings], None]
) -> None:
    failed = "crm_http_requests_total{code=503,method=GET,route=/api/crm/jobs}"
    assert world.numbers()[failed] == 0
    composed(replace(settings, database_url=f"postgresql://nobody:x@127.0.0.1:{free_port()}/none"))
    assert world.request("GET", "/api/crm/jobs").status_code == 503
    composed(settings)
    assert world.numbers()[failed] == 1


def test_audit_writes_keep_their_objective_by_their_own_histogram(
    world: World, settings: Settings, composed: Callable[[Settings], None]
) -> None:
    composed(replace(settings, autoheal_enabled=True))
    healer = Healer(bootstrap_healing.healing())
    for _ in range(40):
        healer.receive(delivery(raw_alert(fingerprint=uuid4().hex[:16], wanted=None)), seconds=10)
    numbers = world.numbers()
    count, quick = (numbers[f"autoheal_audit_write_seconds_{part}"] for part in ("count", "bucket{le=0.2}"))
    assert count >= 40
    assert quick / count >= 0.95
