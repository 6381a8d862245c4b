"""Kafka's password: fetched again after it is refused."""

from pathlib import Path

import pytest

from chalicelib.bootstrap import container
from chalicelib.outbox.ports import Refused, Unreachable
from chalicelib.security.secrets import PAUSE_SECONDS
from infra.local.kafka import Broker
from infra.local.kafka.apache import ApacheKafka
from infra.local.ports import free_port
from tests.conftest import CACHE, Compose
from tests.fakes.clock import FakeClock
from tests.fakes.outbox import FakeOutbox
from tests.integration.secrets.world import CANARY, SecretsWorld

SASL = """
listeners=PLAINTEXT://127.0.0.1:{port},SASL://127.0.0.1:{sasl},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},SASL://127.0.0.1:{sasl}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_PLAINTEXT
sasl.enabled.mechanisms=PLAIN
listener.name.sasl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule \\
  required user_relay="right";
"""


def test_a_refused_kafka_password_is_fetched_again(
    world: SecretsWorld,
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
            "the old password is still in use, and is reported as refused"
        )
        second.close()
        third = container().outbox.publisher()
        assert not isinstance(third.partition_of(event), Unreachable | Refused)
        third.close()
    finally:
        guarded.stop()
