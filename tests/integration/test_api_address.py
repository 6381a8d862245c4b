"""The local API keeps its address, whatever happens to the emulator behind it."""

from collections.abc import Iterator

import pytest
import requests

from infra.local.cloudformation import API_STAGE, publish
from infra.local.emulator import Emulator
from infra.local.ports import free_port
from tests.conftest import stopped_afterwards
from tests.e2e.conftest import temporary_home


@pytest.fixture
def lone_emulator() -> Iterator[Emulator]:
    with temporary_home() as home:
        emulator = Emulator(home / "emulator", free_port())
        with stopped_afterwards(emulator):
            emulator.start()
            yield emulator


def _api(emulator: Emulator, text: str) -> str:
    """Make an API that answers GET /health/live with `text`; return its id."""
    gateway = emulator.client("apigateway")
    api_id = str(gateway.create_rest_api(name=text)["id"])
    parent = gateway.get_resources(restApiId=api_id)["items"][0]["id"]
    for step in ("health", "live"):
        made = gateway.create_resource(restApiId=api_id, parentId=parent, pathPart=step)
        parent = made["id"]
    place = {"restApiId": api_id, "resourceId": parent, "httpMethod": "GET"}
    gateway.put_method(**place, authorizationType="NONE")
    gateway.put_integration(
        **place, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'}
    )
    gateway.put_method_response(**place, statusCode="200")
    gateway.put_integration_response(
        **place, statusCode="200", responseTemplates={"application/json": text}
    )
    gateway.create_deployment(restApiId=api_id, stageName=API_STAGE)
    return api_id


def _answer(url: str) -> str:
    return requests.get(f"{url}/health/live", timeout=10).text


def test_the_address_is_the_same_after_each_deployment_and_each_death(
    lone_emulator: Emulator,
) -> None:
    first = publish(lone_emulator, _api(lone_emulator, "first"))
    assert _answer(first) == "first"
    second = publish(lone_emulator, _api(lone_emulator, "second"))
    assert (second, _answer(second)) == (first, "second")
    lone_emulator.kill()
    lone_emulator.start()
    third = publish(lone_emulator, _api(lone_emulator, "third"))
    assert (third, _answer(third)) == (first, "third")
    lone_emulator.stop()
    lone_emulator.start()
    fourth = publish(lone_emulator, _api(lone_emulator, "fourth"))
    assert (fourth, _answer(fourth)) == (first, "fourth")


def test_other_addresses_of_the_emulator_keep_their_meaning(lone_emulator: Emulator) -> None:
    publish(lone_emulator, _api(lone_emulator, "api"))
    s3 = lone_emulator.client("s3")
    s3.create_bucket(Bucket="aetherlink-deployments")
    s3.put_object(Bucket="aetherlink-deployments", Key="file", Body=b"content")
    url = f"{lone_emulator.url}/aetherlink-deployments/file"
    assert requests.get(url, timeout=10).text == "content"
