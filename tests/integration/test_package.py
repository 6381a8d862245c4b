"""What would be deployed, built from the checkout."""

import copy
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from infra.aws.package import PackagedApp, build
from infra.aws.steps import PackagingFailed

FROM_OUTSIDE = {"CURSOR_SECRET": "secretsmanager:aetherlink/prod/cursors"}
STAGES = ("local", "dev", "prod")
MAX_BYTES = 20_000_000
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
NOT_DEPLOYED = {
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


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> PackagedApp:
    return build(tmp_path_factory.mktemp("package"), stage="prod", environment=FROM_OUTSIDE)


@pytest.fixture(scope="module")
def template(package: PackagedApp) -> dict[str, Any]:
    return dict(json.loads(package.template.read_text())["Resources"])


@pytest.fixture(scope="module")
def unpacked(package: PackagedApp, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(package.bundle) as bundle:
        bundle.extractall(folder)
    return folder


def _of_type(template: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return the properties of every resource of one type."""
    return {
        name: resource["Properties"]
        for name, resource in template.items()
        if resource["Type"] == kind
    }


def test_the_bundle_has_its_byte_code_and_nothing_that_only_builds_or_tests(
    package: PackagedApp,
) -> None:
    with zipfile.ZipFile(package.bundle) as bundle:
        names = bundle.namelist()
    compiled = {name.split("/__pycache__/")[0] for name in names if name.endswith(".pyc")}
    assert {"chalicelib", "chalicelib/adapters/postgres"} <= compiled
    assert {f"{name}/__init__.pyc" for name in RUNTIME} <= set(names)
    assert not {name.split("/")[0] for name in names} & NOT_DEPLOYED
    assert len(names) == len(set(names))
    assert package.bundle.stat().st_size < MAX_BYTES


def test_every_handler_loads_from_the_bundle_alone(
    unpacked: Path, template: dict[str, Any]
) -> None:
    functions = _of_type(template, "AWS::Serverless::Function").values()
    handlers = sorted(function["Handler"] for function in functions)
    assert len(handlers) == 7
    code = (
        f"import sys; sys.path.insert(0, {str(unpacked)!r}); import app;"
        f"import chalicelib.adapters.kafka, chalicelib.adapters.postgres.unit_of_work;"
        f"import chalicelib.adapters.oidc.authenticator;"
        f"assert app.__file__.startswith({str(unpacked)!r});"
        f"print(*(name for name in {handlers} if callable(getattr(app, name[4:]))))"
    )
    process = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True
    )
    assert process.stdout.split() == handlers, process.stderr


def test_each_function_has_its_memory_time_and_role(template: dict[str, Any]) -> None:
    functions = _of_type(template, "AWS::Serverless::Function").values()
    assert {(f["Handler"], f["MemorySize"], f["Timeout"]) for f in functions} == {
        ("app.app", 1024, 28),
        ("app.relay", 512, 60),
        ("app.replay", 512, 60),
        ("app.outbox_upkeep", 256, 60),
        ("app.idempotency_cleanup", 256, 60),
        ("app.autoheal_tick", 512, 60),
        ("app.metrics_push", 256, 30),
    }
    assert len({json.dumps(f["Role"]) for f in functions}) == len(functions)
    for function in functions:
        variables = function["Environment"]["Variables"]
        assert variables["STAGE"] == "prod"
        assert variables["OIDC_ENABLED"] == "true"
        assert variables["CURSOR_SECRET"] == FROM_OUTSIDE["CURSOR_SECRET"]


def test_idempotency_keys_expire_and_only_the_api_may_use_their_table(
    template: dict[str, Any],
) -> None:
    table = template["IdempotencyTable"]["Properties"]
    assert table["TimeToLiveSpecification"] == {
        "AttributeName": "expires_at",
        "Enabled": True,
    }
    variables = template["APIHandler"]["Properties"]["Environment"]["Variables"]
    assert table["TableName"] == variables["IDEMPOTENCY_TABLE"]
    roles = _of_type(template, "AWS::IAM::Role")
    assert [name for name, role in roles.items() if "aetherlink-idempotency" in str(role)] == [
        "ApiHandlerRole"
    ]


def test_only_relay_and_replay_may_publish(template: dict[str, Any]) -> None:
    roles = {name: json.dumps(role) for name, role in _of_type(template, "AWS::IAM::Role").items()}
    assert {name for name, text in roles.items() if "kafka-cluster:WriteData" in text} == {
        "RelayRole",
        "ReplayRole",
    }
    assert not [name for name, text in roles.items() if '"Action": "*"' in text or '"*:*"' in text]


def test_the_gateway_s_own_answers_are_problem_documents(template: dict[str, Any]) -> None:
    answers = _of_type(template, "AWS::ApiGateway::GatewayResponse").values()
    assert {
        "DEFAULT_4XX",
        "DEFAULT_5XX",
        "REQUEST_TOO_LARGE",
        "THROTTLED",
        "INTEGRATION_TIMEOUT",
    } <= {answer["ResponseType"] for answer in answers}
    for answer in answers:
        headers = answer["ResponseParameters"]
        content_type = headers["gatewayresponse.header.Content-Type"]
        assert content_type == "'application/problem+json'"
        text = answer["ResponseTemplates"]["application/json"]
        assert set(json.loads(text.replace("$context.status", "400"))) == {
            "type",
            "title",
            "status",
            "detail",
            "instance",
            "code",
            "requestId",
            "errors",
        }


def test_the_gateway_throttles_and_says_when_to_retry(template: dict[str, Any]) -> None:
    assert template["RestAPI"]["Properties"]["MethodSettings"] == [
        {
            "HttpMethod": "*",
            "ResourcePath": "/*",
            "ThrottlingRateLimit": 500,
            "ThrottlingBurstLimit": 250,
        }
    ]
    answers = {
        answer["ResponseType"]: answer
        for answer in _of_type(template, "AWS::ApiGateway::GatewayResponse").values()
    }
    for kind in ("THROTTLED", "QUOTA_EXCEEDED"):
        assert answers[kind]["StatusCode"] == "429"
        retry_after = answers[kind]["ResponseParameters"]["gatewayresponse.header.Retry-After"]
        assert int(retry_after.strip("'")) >= 1


@pytest.fixture(scope="module")
def linted(package: PackagedApp, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What cfn-lint says of each stage's template, and of one with an error in it.

    Most of a template is the API's definition, and most of cfn-lint's time goes there. It is
    the same for all stages, so it is linted once, with prod's.
    """
    folder = tmp_path_factory.mktemp("templates")
    templates = {
        stage: json.loads(build(folder / stage, stage=stage).template.read_text())
        for stage in STAGES[:-1]
    }
    prod = json.loads(package.template.read_text())
    definition = prod["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]
    assert len(definition["paths"]) >= 30
    for template in templates.values():
        properties = template["Resources"]["RestAPI"]["Properties"]
        assert properties["DefinitionBody"] == definition
        properties["DefinitionBody"] = {**definition, "paths": {}}
    templates["wrong"] = copy.deepcopy(templates["dev"])
    templates["wrong"]["Resources"]["IdempotencyTable"]["Properties"]["BillingMode"] = "FREE"
    files = {stage: folder / f"{stage}.json" for stage in templates} | {"prod": package.template}
    for stage, template in templates.items():
        files[stage].write_text(json.dumps(template))
    linter = Path(sys.executable).with_name("cfn-lint")
    process = subprocess.run(
        [str(linter), "--regions", "us-east-1", "--format", "json", "--", *files.values()],
        capture_output=True,
        text=True,
    )
    assert not process.stderr
    complaints: dict[str, list[str]] = {stage: [] for stage in files}
    stages = {str(file): stage for stage, file in files.items()}
    for match in json.loads(process.stdout):
        complaints[stages[match["Filename"]]].append(match["Message"])
    return complaints


@pytest.mark.parametrize("stage", STAGES)
def test_cloudformation_accepts_the_template_of_each_stage(
    linted: dict[str, list[str]], stage: str
) -> None:
    assert linted[stage] == []


def test_an_error_in_a_template_is_reported(linted: dict[str, list[str]]) -> None:
    assert linted["wrong"]
    assert "PAY_PER_REQUEST" in linted["wrong"][0]


def test_no_secret_is_packaged_in_plain_text(tmp_path: Path) -> None:
    with pytest.raises(PackagingFailed, match="DATABASE_URL") as refused:
        build(
            tmp_path,
            stage="prod",
            environment={**FROM_OUTSIDE, "DATABASE_URL": "postgresql://a:s3cr3t@h/x"},
        )
    assert "s3cr3t" not in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_the_same_input_makes_the_same_bytes_wherever_it_is_built(
    package: PackagedApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    again = build(Path("relative"), stage="prod", environment=FROM_OUTSIDE)
    assert again.digest == package.digest
    assert again.bundle == tmp_path / "relative" / "deployment.zip"
