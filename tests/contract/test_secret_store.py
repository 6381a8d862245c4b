"""What any `SecretStore` does; the fake, moto and the emulator pass the same suite."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import boto3
import pytest
from moto import mock_aws

from chalicelib.adapters import secret_store
from chalicelib.security.secrets import Reference, SecretStore
from chalicelib.shared.clock import SystemClock
from chalicelib.shared.errors import Misconfigured, Unavailable
from infra.local.ports import free_port
from tests.fakes.secret_store import FakeSecrets

OVERLAP = 3_600.0


@dataclass
class Suite:
    store: SecretStore
    put: Callable[[str, str], None]
    later: Callable[[float], None]
    kind: str


class LateClock(SystemClock):
    """The machine's clock, put forward."""

    def __init__(self) -> None:
        self.passed = timedelta()

    def now(self) -> Any:
        return super().now() + self.passed


def _suite(client: Callable[[str], Any], kind: str) -> Suite:
    clock = LateClock()
    manager = client("secretsmanager")
    parameters = client("ssm")

    def put(name: str, text: str) -> None:
        parameters.put_parameter(Name=name, Value=text, Type="SecureString", Overwrite=True)
        try:
            manager.create_secret(Name=name, SecretString=text)
        except manager.exceptions.ResourceExistsException:
            manager.put_secret_value(SecretId=name, SecretString=text)

    def later(seconds: float) -> None:
        clock.passed += timedelta(seconds=seconds)

    return Suite(
        secret_store.AwsSecretStore(client, clock, overlap_seconds=OVERLAP),
        put,
        later,
        kind,
    )


@pytest.fixture(params=["fake", "moto", "emulator"])
def suite(request: pytest.FixtureRequest) -> Iterator[Suite]:
    if request.param == "fake":
        fake = FakeSecrets()
        yield Suite(fake, fake.put, fake.later, "fake")
    elif request.param == "emulator":
        yield _suite(request.getfixturevalue("emulator").client, "emulator")
    else:
        with mock_aws():
            yield _suite(partial(boto3.client, region_name="us-east-1"), "moto")


@pytest.fixture
def name() -> str:
    return f"/aetherlink/test/{uuid4()}"


@pytest.mark.parametrize("service", ["secretsmanager", "ssm"])
def test_what_was_put_is_fetched(suite: Suite, name: str, service: str) -> None:
    suite.put(name, "value")
    assert suite.store.fetch(Reference(service, name), overlapping=True) == ("value",)


@pytest.mark.parametrize("service", ["secretsmanager", "ssm"])
def test_one_key_of_an_object_and_a_list_of_values_are_fetched(
    suite: Suite, name: str, service: str
) -> None:
    suite.put(name, json.dumps({"url": "u", "signing": ["new", "old"]}))
    assert suite.store.fetch(Reference(service, name, "url"), overlapping=False) == ("u",)
    assert suite.store.fetch(Reference(service, name, "signing"), overlapping=False) == (
        "new",
        "old",
    )


def test_after_a_rotation_the_previous_value_is_accepted_for_a_while_where_that_is_asked_for(
    suite: Suite, name: str
) -> None:
    reference = Reference("secretsmanager", name)
    suite.put(name, "old")
    suite.put(name, "new")
    assert suite.store.fetch(reference, overlapping=True) == ("new", "old")
    assert suite.store.fetch(reference, overlapping=False) == ("new",)
    suite.later(OVERLAP + 1)
    assert suite.store.fetch(reference, overlapping=True) == ("new",)


@pytest.mark.parametrize("service", ["secretsmanager", "ssm"])
def test_a_secret_that_is_not_there_is_a_mistake_of_ours_that_names_it(
    suite: Suite, name: str, service: str
) -> None:
    with pytest.raises(Misconfigured, match=name):
        suite.store.fetch(Reference(service, name), overlapping=True)


@pytest.mark.parametrize("service", ["secretsmanager", "ssm"])
def test_a_store_that_is_away_is_unavailable_and_says_so_in_time(
    monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    for variable, value in {
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    make = partial(secret_store.client, timeout_seconds=0.2)
    store = secret_store.AwsSecretStore(make, SystemClock(), overlap_seconds=0)
    with pytest.raises(Unavailable) as refused:
        store.fetch(Reference(service, "x"), overlapping=False)
    assert (refused.value.code, refused.value.headers["Retry-After"]) == (
        "secrets-unavailable",
        "5",
    )


def test_a_binary_secret_is_its_text() -> None:
    with mock_aws():
        client = boto3.client("secretsmanager", region_name="us-east-1")
        client.create_secret(Name="binary", SecretBinary=b"value")
        store = secret_store.AwsSecretStore(lambda _: client, SystemClock(), overlap_seconds=0)
        assert store.fetch(Reference("secretsmanager", "binary"), overlapping=False) == ("value",)
