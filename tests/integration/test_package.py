"""What would be deployed, built from the checkout."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from infra.aws.package import PackagedApp, build

MOST_BYTES = 40_000_000
RUNTIME = ("pydantic", "sqlalchemy", "pg8000", "kafka", "crc32c", "lz4")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> PackagedApp:
    return build(tmp_path_factory.mktemp("package"), stage="prod", environment={"CURSOR_SECRET": "from-outside"})


@pytest.fixture(scope="module")
def template(package: PackagedApp) -> dict[str, Any]:
    return dict(json.loads(package.template.read_text())["Resources"])


def test_the_bundle_has_its_byte_code_and_nothing_that_only_builds_or_tests(package: PackagedApp) -> None:
    with zipfile.ZipFile(package.bundle) as bundle:
        names = bundle.namelist()
    compiled = {name.split("/__pycache__/")[0] for name in names if name.endswith(".pyc")}
    assert {"chalicelib", "chalicelib/adapters/postgres", *RUNTIME} <= compiled
    tops = {name.split("/")[0] for name in names}
    assert not tops & {
        "tests",
        "infra",
        "pytest",
        "alembic",
        "ministack",
        "moto",
        "boto3",
        "botocore",
        "confluent_kafka",
    }
    assert package.bundle.stat().st_size < MOST_BYTES


@pytest.mark.parametrize(
    "handler",
    ["app.app", "app.relay", "app.replay", "app.outbox_upkeep", "app.idempotency_cleanup", "app.autoheal_tick"],
)
def test_every_handler_loads_from_the_bundle_alone(package: PackagedApp, tmp_path: Path, handler: str) -> None:
    with zipfile.ZipFile(package.bundle) as bundle:
        bundle.extractall(tmp_path)
    module, function = handler.split(".")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import {module};"
        f"import chalicelib.adapters.kafka, chalicelib.adapters.postgres.unit_of_work;"
        f"assert {module}.__file__.startswith({str(tmp_path)!r}); print(callable({module}.{function}))"
    )
    said = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True)
    assert said.stdout.strip() == "True", said.stderr


def test_each_function_has_its_memory_time_concurrency_and_role(template: dict[str, Any]) -> None:
    functions = {
        name: one["Properties"] for name, one in template.items() if one["Type"] == "AWS::Serverless::Function"
    }
    assert {
        (f["Handler"], f["MemorySize"], f["Timeout"], f.get("ReservedConcurrentExecutions")) for f in functions.values()
    } == {
        ("app.app", 1024, 28, None),
        ("app.relay", 512, 60, 1),
        ("app.replay", 512, 60, 1),
        ("app.outbox_upkeep", 256, 60, 1),
        ("app.idempotency_cleanup", 256, 60, 1),
    }
    assert len({json.dumps(f["Role"]) for f in functions.values()}) == len(functions)
    for one in functions.values():
        assert one["Environment"]["Variables"]["STAGE"] == "prod"
        assert one["Environment"]["Variables"]["OIDC_ENABLED"] == "true"
        assert one["Environment"]["Variables"]["CURSOR_SECRET"] == "from-outside"


def test_the_table_of_idempotency_keys_forgets_and_only_the_api_may_use_it(template: dict[str, Any]) -> None:
    table = template["IdempotencyTable"]["Properties"]
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert table["TableName"] == template["APIHandler"]["Properties"]["Environment"]["Variables"]["IDEMPOTENCY_TABLE"]
    roles = {name: json.dumps(one) for name, one in template.items() if one["Type"] == "AWS::IAM::Role"}
    assert {name for name, text in roles.items() if "dynamodb:" in text} == {"ApiHandlerRole"}


def test_only_relay_and_replay_may_publish(template: dict[str, Any]) -> None:
    roles = {name: json.dumps(one) for name, one in template.items() if one["Type"] == "AWS::IAM::Role"}
    assert {name for name, text in roles.items() if "kafka-cluster:WriteData" in text} == {"RelayRole", "ReplayRole"}
    assert not [name for name, text in roles.items() if '"Action": "*"' in text or '"*:*"' in text]


def test_what_the_gateway_answers_itself_is_a_problem_document_too(template: dict[str, Any]) -> None:
    answers = [one["Properties"] for one in template.values() if one["Type"] == "AWS::ApiGateway::GatewayResponse"]
    kinds = {one["ResponseType"] for one in answers}
    assert {"DEFAULT_4XX", "DEFAULT_5XX", "REQUEST_TOO_LARGE", "THROTTLED", "INTEGRATION_TIMEOUT"} <= kinds
    for one in answers:
        assert one["ResponseParameters"]["gatewayresponse.header.Content-Type"] == "'application/problem+json'"
        body = json.loads(one["ResponseTemplates"]["application/json"].replace("$context.status", "400"))
        assert {"type", "title", "status", "detail", "instance", "code", "requestId", "errors"} == set(body)


def test_the_same_input_makes_the_same_bytes(package: PackagedApp, tmp_path: Path) -> None:
    assert build(tmp_path, stage="prod", environment={"CURSOR_SECRET": "from-outside"}).digest == package.digest
