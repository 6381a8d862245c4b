from typing import Any

import pytest

from chalicelib.adapters.kafka import client_settings
from chalicelib.config.kafka import KafkaSettings
from chalicelib.shared.errors import Misconfigured


def _client(**values: Any) -> dict[str, Any]:
    return client_settings(KafkaSettings(**{"bootstrap_servers": "a:1, b:2", **values}))


def test_brokers_are_a_list() -> None:
    assert _client()["bootstrap_servers"] == ["a:1", "b:2"]
    assert "api_version" not in _client()
    assert _client(api_version="2.3")["api_version"] == (2, 3)


def test_msk_signs_with_the_function_s_own_role() -> None:
    chosen = _client(security_protocol="SASL_SSL", sasl_mechanism="AWS_MSK_IAM", username="ignored")
    assert (chosen["security_protocol"], chosen["sasl_mechanism"]) == (
        "SASL_SSL",
        "AWS_MSK_IAM",
    )
    assert "sasl_plain_username" not in chosen


def test_scram_takes_user_and_password() -> None:
    chosen = _client(sasl_mechanism="SCRAM-SHA-512", username="u", password="p")
    assert (chosen["sasl_plain_username"], chosen["sasl_plain_password"]) == ("u", "p")


def test_no_brokers_is_told() -> None:
    with pytest.raises(Misconfigured, match="KAFKA_BOOTSTRAP_SERVERS"):
        _client(bootstrap_servers=" ")
