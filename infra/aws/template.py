"""The parts of the CloudFormation template that Chalice does not write."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.aws import autoheal, functions
from infra.aws.runtime import Runtime

GATEWAY_RESPONSES = Path(__file__).with_name("gateway-responses.json")

THROTTLE = {"ThrottlingRateLimit": 500, "ThrottlingBurstLimit": 250}
"""Requests a second, and at once, that the gateway accepts from all callers together.

It answers the rest with 429. Tenants have a limit of their own (TENANT_RATE_PER_SECOND): a
usage plan would count API keys, and tenants have none.
"""


def add_environment(config: Path, stage: str, environment: Mapping[str, str]) -> None:
    """Add `environment` to what the file `config` gives each function of `stage`."""
    content = json.loads(config.read_text())
    settings = content["stages"].setdefault(stage, {})
    variables = settings.get("environment_variables", {})
    settings["environment_variables"] = {**variables, **environment}
    config.write_text(json.dumps(content))


def additions(config: Path, stage: str) -> dict[str, Any]:
    """Return what the template of `stage` has besides the functions.

    That is the gateway's own answers, its throttling, the tables and the SSM documents.
    Names come from Chalice's configuration file `config`.
    """
    environment = json.loads(config.read_text())["stages"][stage]["environment_variables"]
    content: dict[str, Any] = json.loads(GATEWAY_RESPONSES.read_text())
    throttling = [{"HttpMethod": "*", "ResourcePath": "/*", **THROTTLE}]
    content["Resources"] |= {
        "RestAPI": {"Properties": {"MethodSettings": throttling}},
        "IdempotencyTable": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": idempotency_table(environment["IDEMPOTENCY_TABLE"]),
        },
        **autoheal.resources(environment[autoheal.PREFIX_SETTING], stage),
    }
    return content


def finish(text: str, stage: str, runtime: Runtime) -> str:
    """Return the template `text` that Chalice wrote, completed for `stage` on `runtime`.

    The emulator of stage local has neither log groups nor destinations, and its tables are
    deleted with its stack.
    """
    template: dict[str, Any] = json.loads(text)
    if stage != "local":
        functions.complete(template, runtime)
        _keep_tables(template)
    return json.dumps(template, indent=2) + "\n"


def _keep_tables(template: dict[str, Any]) -> None:
    """Keep the tables when the stack is deleted, and refuse to delete them by hand."""
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::DynamoDB::Table":
            resource["DeletionPolicy"] = "Retain"
            resource["UpdateReplacePolicy"] = "Retain"
            resource["Properties"]["DeletionProtectionEnabled"] = True
            resource["Properties"]["PointInTimeRecoverySpecification"] = {
                "PointInTimeRecoveryEnabled": True
            }


def idempotency_table(name: str) -> dict[str, Any]:
    """Return the properties of the table of idempotency keys, for CloudFormation."""
    return {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "TimeToLiveSpecification": {"AttributeName": "expires_at", "Enabled": True},
    }
