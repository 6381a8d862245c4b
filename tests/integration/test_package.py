"""What would be deployed, built from the checkout."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from infra.aws.package import PackagedApp, PackagingFailed, build

FROM_OUTSIDE = {"CURSOR_SECRET": "secretsmanager:aetherlink/prod/cursors"}
MAX_BYTES = 40_000_000
RUNTIME = (
    "pydantic",
    "sqlalchemy",
    "pg8000",
    "kafka",
    "crc32c",
    "lz4",
    "jwt",
    "cryptography",
)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> PackagedApp:
    return build(tmp_path_factory.mktemp("package"), stage="prod", environment=FROM_OUTSIDE)


@pytest.fixture(scope="module")
def template(package: PackagedApp) -> dict[str, Any]:
    return dict(json.loads(package.template.read_text())["Resources"])


def test_the_bundle_has_its_byte_code_and_nothing_that_only_builds_or_tests(
    package: PackagedApp,
) -> None:
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
    assert package.bundle.stat().st_size < MAX_BYTES


@pytest.mark.parametrize(
    "handler",
    [
        "app.app",
        "app.relay",
        "app.replay",
        "app.outbox_upkeep",
        "app.idempotency_cleanup",
        "app.autoheal_tick",
    ],
)
def test_every_handler_loads_from_the_bundle_alone(
    package: PackagedApp, tmp_path: Path, handler: str
) -> None:
    with zipfile.ZipFile(package.bundle) as bundle:
        bundle.extractall(tmp_path)
    module, function = handler.split(".")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import {module};"
        f"import chalicelib.adapters.kafka, chalicelib.adapters.postgres.unit_of_work;"
        f"import chalicelib.adapters.oidc.authenticator;"
        f"assert {module}.__file__.startswith({str(tmp_path)!r}); print(callable({module}.{function}))"
    )
    said = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True)
    assert said.stdout.strip() == "True", said.stderr


def test_each_function_has_its_memory_time_concurrency_and_role(
    template: dict[str, Any],
) -> None:
    functions = {
        name: one["Properties"]
        for name, one in template.items()
        if one["Type"] == "AWS::Serverless::Function"
    }
    assert {
        (f["Handler"], f["MemorySize"], f["Timeout"], f.get("ReservedConcurrentExecutions"))
        for f in functions.values()
    } == {
        ("app.app", 1024, 28, None),
        ("app.relay", 512, 60, 1),
        ("app.replay", 512, 60, 1),
        ("app.outbox_upkeep", 256, 60, 1),
        ("app.idempotency_cleanup", 256, 60, 1),
        ("app.autoheal_tick", 512, 60, 1),
        ("app.metrics_push", 256, 30, 1),
    }
    assert len({json.dumps(f["Role"]) for f in functions.values()}) == len(functions)
    for one in functions.values():
        assert one["Environment"]["Variables"]["STAGE"] == "prod"
        assert one["Environment"]["Variables"]["OIDC_ENABLED"] == "true"
        assert one["Environment"]["Variables"]["CURSOR_SECRET"] == FROM_OUTSIDE["CURSOR_SECRET"]


def test_the_table_of_idempotency_keys_forgets_and_only_the_api_may_use_it(
    template: dict[str, Any],
) -> None:
    table = template["IdempotencyTable"]["Properties"]
    assert table["TimeToLiveSpecification"] == {
        "AttributeName": "expires_at",
        "Enabled": True,
    }
    assert (
        table["TableName"]
        == template["APIHandler"]["Properties"]["Environment"]["Variables"]["IDEMPOTENCY_TABLE"]
    )
    roles = {
        name: json.dumps(one) for name, one in template.items() if one["Type"] == "AWS::IAM::Role"
    }
    assert {name for name, text in roles.items() if "aetherlink-idempotency" in text} == {
        "ApiHandlerRole"
    }


def test_only_relay_and_replay_may_publish(template: dict[str, Any]) -> None:
    roles = {
        name: json.dumps(one) for name, one in template.items() if one["Type"] == "AWS::IAM::Role"
    }
    assert {name for name, text in roles.items() if "kafka-cluster:WriteData" in text} == {
        "RelayRole",
        "ReplayRole",
    }
    assert not [name for name, text in roles.items() if '"Action": "*"' in text or '"*:*"' in text]


def test_what_the_gateway_answers_itself_is_a_problem_document_too(
    template: dict[str, Any],
) -> None:
    answers = [
        one["Properties"]
        for one in template.values()
        if one["Type"] == "AWS::ApiGateway::GatewayResponse"
    ]
    kinds = {one["ResponseType"] for one in answers}
    assert {
        "DEFAULT_4XX",
        "DEFAULT_5XX",
        "REQUEST_TOO_LARGE",
        "THROTTLED",
        "INTEGRATION_TIMEOUT",
    } <= kinds
    for one in answers:
        assert (
            one["ResponseParameters"]["gatewayresponse.header.Content-Type"]
            == "'application/problem+json'"
        )
        body = json.loads(
            one["ResponseTemplates"]["application/json"].replace("$context.status", "400")
        )
        assert {
            "type",
            "title",
            "status",
            "detail",
            "instance",
            "code",
            "requestId",
            "errors",
        } == set(body)


def _lint(template: Path) -> str:
    linter = Path(sys.executable).with_name("cfn-lint")
    said = subprocess.run(
        [str(linter), "--regions", "us-east-1", "--", str(template)],
        capture_output=True,
        text=True,
    )
    return said.stdout + said.stderr


@pytest.mark.parametrize("stage", ["local", "dev", "prod"])
def test_cloudformation_finds_nothing_wrong_with_a_stage_s_template(
    package: PackagedApp, tmp_path: Path, stage: str
) -> None:
    made = package if stage == "prod" else build(tmp_path, stage=stage)
    assert _lint(made.template) == ""


def test_a_template_that_is_wrong_is_told(package: PackagedApp, tmp_path: Path) -> None:
    template = json.loads(package.template.read_text())
    template["Resources"]["IdempotencyTable"]["Properties"]["BillingMode"] = "FREE"
    wrong = tmp_path / "sam.json"
    wrong.write_text(json.dumps(template))
    assert "PAY_PER_REQUEST" in _lint(wrong)


def test_no_secret_is_packaged_in_plain_text(tmp_path: Path) -> None:
    with pytest.raises(PackagingFailed, match="DATABASE_URL") as refused:
        build(
            tmp_path,
            stage="prod",
            environment={**FROM_OUTSIDE, "DATABASE_URL": "postgresql://a:s3cr3t@h/x"},
        )
    assert "s3cr3t" not in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_the_gateway_throttles_and_says_when_to_come_back(template: dict[str, Any]) -> None:
    settings = template["RestAPI"]["Properties"]["MethodSettings"]
    assert settings == [
        {
            "HttpMethod": "*",
            "ResourcePath": "/*",
            "ThrottlingRateLimit": 500,
            "ThrottlingBurstLimit": 250,
        }
    ]
    answers = {
        one["Properties"]["ResponseType"]: one["Properties"]
        for one in template.values()
        if one["Type"] == "AWS::ApiGateway::GatewayResponse"
    }
    for kind in ("THROTTLED", "QUOTA_EXCEEDED"):
        assert answers[kind]["StatusCode"] == "429"
        assert (
            int(
                answers[kind]["ResponseParameters"]["gatewayresponse.header.Retry-After"].strip("'")
            )
            >= 1
        )


def test_the_same_input_makes_the_same_bytes(package: PackagedApp, tmp_path: Path) -> None:
    assert build(tmp_path, stage="prod", environment=FROM_OUTSIDE).digest == package.digest
