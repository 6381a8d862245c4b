from typing import Any

import pytest

from chalicelib.adapters.kafka import client_settings
from chalicelib.config.kafka import KafkaSettings
from chalicelib.shared.errors import Misconfigured


def _client(**values: Any) -> dict[str, Any]:
    return client_settings(KafkaSettings(**{"bootstrap_servers": "a:1, b:2", **values}))


def test_brokers_and_version_are_read_from_text() -> None:
    assert _client()["bootstrap_servers"] == ["a:1", "b:2"]
    assert "api_version" not in _client()
    assert _client(api_version="2.3")["api_version"] == (2, 3)


def test_msk_authenticates_with_the_role_of_the_function() -> None:
    arguments = _client(
        security_protocol="SASL_SSL", sasl_mechanism="AWS_MSK_IAM", username="ignored"
    )
    assert arguments["security_protocol"] == "SASL_SSL"
    assert arguments["sasl_mechanism"] == "AWS_MSK_IAM"
    assert "sasl_plain_username" not in arguments


def test_scram_authenticates_with_user_and_password() -> None:
    arguments = _client(sasl_mechanism="SCRAM-SHA-512", username="u", password="p")
    assert (arguments["sasl_plain_username"], arguments["sasl_plain_password"]) == ("u", "p")


def test_missing_brokers_are_a_configuration_error() -> None:
    with pytest.raises(Misconfigured, match="KAFKA_BOOTSTRAP_SERVERS"):
        _client(bootstrap_servers=" ")
