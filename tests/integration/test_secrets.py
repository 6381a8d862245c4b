"""Secrets in a real store, a real PostgreSQL and a real broker: changed, refused and away while the product runs."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import pytest
from chalice.test import Client, HTTPResponse

import app
from chalicelib.bootstrap import container
from chalicelib.config import Settings
from chalicelib.outbox.ports import Refused, Unreachable
from chalicelib.security.secrets import PAUSE_SECONDS
from chalicelib.shared.clock import SystemClock
from chalicelib.telemetry import logs
from infra.local.emulator import REGION, Emulator
from infra.local.kafka import Broker
from infra.local.kafka.apache import ApacheKafka
from infra.local.ports import free_port
from infra.local.postgres import Postgres
from tests.conftest import CACHE, Compose
from tests.fakes.clock import FakeClock
from tests.fakes.outbox import FakeOutbox
from tests.integration.proxy import Proxy

REFRESH = 300.0
CANARY = "c4n4ry"


class LateClock(SystemClock):
    """The machine's clock, put forward."""

    passed = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.passed

    def now(self) -> Any:
        return super().now() + timedelta(seconds=self.passed)


class World:
    """The API with every secret kept elsewhere, and hands on the store, the database and the time."""

    def __init__(
        self, manager: Any, postgres: Postgres, clock: LateClock, proxy: Proxy, tenant: UUID
    ) -> None:
        self.manager = manager
        self.postgres = postgres
        self.clock = clock
        self.proxy = proxy
        self.tenant = tenant
        self.name = f"aetherlink/test/{uuid4()}"
        self.kept: dict[str, Any] = {}

    def keep(self, **values: Any) -> None:
        self.kept |= values
        text = json.dumps(self.kept)
        try:
            self.manager.create_secret(Name=self.name, SecretString=text)
        except self.manager.exceptions.ResourceExistsException:
            self.manager.put_secret_value(SecretId=self.name, SecretString=text)

    def url(self, role: str, password: str) -> str:
        return f"postgresql://{role}:{quote(password, safe='')}@127.0.0.1:{self.postgres.port}/aetherlink"

    def change_password(self, role: str, password: str) -> None:
        """Change it in the database, and end the sessions that were opened with the one before."""
        with self.postgres.connect() as connection:
            connection.execute_simple(f"ALTER ROLE {role} PASSWORD '{password}'")
            connection.execute_simple(
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'"
            )

    def send(
        self, method: str, path: str, body: Any = None, *, role: str = "sales"
    ) -> HTTPResponse:
        headers = {
            "X-Tenant-Id": str(self.tenant),
            "X-Roles": role,
            "Content-Type": "application/json",
        }
        with Client(app.app, stage_name="local") as client:
            return client.http.request(
                method, path, headers=headers, body=json.dumps(body or {}).encode()
            )

    def create(self) -> HTTPResponse:
        return self.send("POST", "/api/crm/accounts", {"name": "Northwind"})


@pytest.fixture
def world(
    emulator: Emulator,
    postgres: Postgres,
    database: Settings,
    tenant: UUID,
    composed: Compose,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    clock = LateClock()
    with Proxy(emulator.port) as proxy:
        made = World(emulator.client("secretsmanager"), postgres, clock, proxy, tenant)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "test")
        monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
        monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", f"http://127.0.0.1:{proxy.port}")
        made.keep(api=database.database.url, relay=database.database.relay_url, cursors="first")
        composed(
            database.changed(
                database={
                    "url": f"secretsmanager:{made.name}#api",
                    "relay_url": f"secretsmanager:{made.name}#relay",
                },
                http={"cursor_secret": f"secretsmanager:{made.name}#cursors"},
                secrets={"refresh_seconds": REFRESH, "timeout_seconds": 0.3},
            ),
            clock,
        )
        logs.configure("INFO")
        yield made
        passwords = postgres.passwords()
        for role in ("aetherlink_api", "aetherlink_relay"):
            made.change_password(role, passwords[role])


def test_a_database_password_changes_without_a_request_lost(world: World) -> None:
    assert world.create().status_code == 201
    world.change_password("aetherlink_api", "changed/1")
    world.keep(api=world.url("aetherlink_api", "changed/1"))
    assert world.create().status_code == 201, (
        "the old password was refused, so the new one was fetched at once"
    )
    assert world.send("GET", "/health/ready").status_code == 200


def test_the_desk_s_password_changes_too(world: World) -> None:
    assert world.send("GET", "/api/outbox", role="ops").status_code == 200
    world.change_password("aetherlink_relay", "changed/2")
    world.keep(relay=world.url("aetherlink_relay", "changed/2"))
    assert world.send("GET", "/api/outbox", role="ops").status_code in (200, 503), (
        "an open session may be cut"
    )
    assert world.send("GET", "/api/outbox", role="ops").status_code == 200


def test_a_database_s_secret_may_be_as_secrets_manager_keeps_it_for_rds(
    world: World, composed: Compose
) -> None:
    password = world.postgres.passwords()["aetherlink_api"]
    about = {
        "engine": "postgres",
        "username": "aetherlink_api",
        "password": password,
        "host": "127.0.0.1",
    }
    world.keep(api={**about, "port": world.postgres.port, "dbname": "aetherlink"})
    assert world.create().status_code == 201
    composed(container().settings, world.clock)
    world.keep(api={"username": "nobody knows the rest"})
    assert world.create().json_body["code"] == "misconfigured"


def test_cursors_signed_before_a_rotation_are_read_after_it_for_a_while(
    world: World,
) -> None:
    for _ in range(2):
        world.create()

    def after(path: str) -> HTTPResponse:
        return world.send("GET", "/api/crm/accounts?limit=1&cursor=" + path)

    old = world.send("GET", "/api/crm/accounts?limit=1").json_body["nextCursor"]
    world.keep(cursors="second")
    world.clock.passed += REFRESH
    new = world.send("GET", "/api/crm/accounts?limit=1").json_body["nextCursor"]
    assert old != new
    assert [after(cursor).status_code for cursor in (old, new)] == [200, 200]
    world.clock.passed += Settings().secrets.overlap_seconds
    assert [after(cursor).status_code for cursor in (old, new)] == [400, 200]


def test_a_store_that_is_down_does_no_harm_to_what_was_read_before(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert world.create().status_code == 201
    world.proxy.cut = True
    world.proxy.disconnect()
    world.clock.passed += REFRESH
    del container().crm.engine
    assert world.create().status_code == 201
    world.change_password("aetherlink_api", "changed/3")
    world.keep(api=world.url("aetherlink_api", "changed/3"))
    refused = world.create()
    assert (refused.status_code, refused.json_body["code"]) == (503, "database-unavailable")
    world.proxy.cut = False
    world.clock.passed += PAUSE_SECONDS
    assert world.create().status_code == 201


def test_a_store_that_never_answered_is_a_503_that_says_when_to_come_back(
    world: World,
) -> None:
    world.proxy.cut = True
    answer = world.create()
    assert (answer.status_code, answer.json_body["code"]) == (503, "secrets-unavailable")
    assert answer.headers["Retry-After"]
    assert world.send("GET", "/health/ready").status_code == 503
    assert world.send("GET", "/health/live").status_code == 200
    world.proxy.cut = False
    assert world.create().status_code == 201


def test_a_secret_that_is_not_there_is_named_in_the_log_and_not_to_callers(
    world: World, composed: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(logs, "error", lambda _, **fields: told.append(fields))
    composed(
        container().settings.changed(database={"url": "secretsmanager:aetherlink/test/nowhere"}),
        world.clock,
    )
    answer = world.create()
    assert (answer.status_code, answer.json_body["code"]) == (500, "misconfigured")
    assert b"nowhere" not in answer.body
    assert "aetherlink/test/nowhere" in told[0]["cause"]


def test_no_secret_is_told_when_the_database_refuses_it(
    world: World, database: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    world.keep(
        api=world.url("aetherlink_api", CANARY),
        relay=world.url("aetherlink_relay", CANARY),
        cursors=CANARY,
    )
    logs._logger.handlers.clear()
    logs.configure("DEBUG")  # to the standard error that is captured
    try:
        answers = [
            world.create(),
            world.send("GET", "/api/crm/accounts"),
            world.send("GET", "/api/outbox", role="ops"),
            world.send("GET", "/health/ready"),
        ]
        report = container().outbox.relay().run(0.3)
    finally:
        logs._logger.handlers.clear()
        logs.configure("INFO")
    assert {answer.status_code for answer in answers} == {503}
    assert report.store_troubles > 0
    said = "".join(capfd.readouterr()) + "".join(
        answer.body.decode() + str(answer.headers) for answer in answers
    )
    assert "28P01" in said, "the log does tell what happened"
    assert CANARY not in said + repr(container().settings)


SASL = """
listeners=PLAINTEXT://127.0.0.1:{port},SASL://127.0.0.1:{sasl},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},SASL://127.0.0.1:{sasl}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_PLAINTEXT
sasl.enabled.mechanisms=PLAIN
listener.name.sasl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \\
  user_relay="right";
"""


def test_a_kafka_password_that_is_refused_is_fetched_anew(
    world: World,
    broker: Broker,
    home: Path,
    composed: Compose,
    capfd: pytest.CaptureFixture[str],
) -> None:
    if broker.kind != "apache":
        pytest.skip("only Apache Kafka asks for a password")
    port = free_port()
    sasl = free_port()
    extra = SASL.format(port=port, sasl=sasl, controller=port + 1)
    guarded = ApacheKafka(home / "kafka-sasl", port, CACHE, extra=extra)
    event = FakeOutbox(FakeClock()).append("job:1", topic="guarded")
    world.keep(kafka=CANARY)
    composed(
        container().settings.changed(
            kafka={
                "bootstrap_servers": f"127.0.0.1:{sasl}",
                "security_protocol": "SASL_PLAINTEXT",
                "sasl_mechanism": "PLAIN",
                "username": "relay",
                "request_timeout_ms": 1_500,
                "password": f"secretsmanager:{world.name}#kafka",
            }
        ),
        world.clock,
    )
    guarded.start({"guarded": 1})
    try:
        first = container().outbox.publisher()
        refused = first.partition_of(event)
        first.close()
        assert isinstance(refused, Unreachable)
        assert CANARY not in refused.reason + "".join(capfd.readouterr())
        world.keep(kafka="right")
        world.clock.passed += PAUSE_SECONDS
        second = container().outbox.publisher()
        assert isinstance(second.partition_of(event), Unreachable), (
            "still the old one; told that it is refused"
        )
        second.close()
        third = container().outbox.publisher()
        assert not isinstance(third.partition_of(event), Unreachable | Refused)
        third.close()
    finally:
        guarded.stop()
