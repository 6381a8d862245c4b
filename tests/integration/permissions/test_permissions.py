"""Each function may do exactly what it does."""

import json
import re
from typing import Any
from uuid import uuid4

import pytest

from infra.aws import policies
from infra.paths import ROOT
from tests.integration.permissions.walkthrough import Calls, invocations

FOLDER = ROOT / ".chalice"


FUNCTIONS = {
    name: function["iam_policy_file"]
    for name, function in json.loads((FOLDER / "config.json").read_text())[
        "lambda_functions"
    ].items()
}


ON_ANY_RESOURCE = {
    "ec2:CreateNetworkInterface": "Lambda creates it, so it has no id yet",
    "ec2:DescribeNetworkInterfaces": "EC2's Describe calls have no resources",
    "ec2:DeleteNetworkInterface": "Lambda created it, with an id of its own",
    "ssm:CancelCommand": "SSM commands are not resources",
    "ssm:ListCommandInvocations": "SSM commands are not resources",
    "ssm:ListCommands": "SSM commands are not resources",
}
"""The actions that are allowed on any resource, and why AWS offers nothing narrower."""


NOT_RECORDED = {
    "logs:CreateLogGroup": "Lambda does it",
    "logs:CreateLogStream": "Lambda does it",
    "logs:PutLogEvents": "Lambda does it",
    "ec2:CreateNetworkInterface": "Lambda does it; a condition excludes the function's code",
    "ec2:DescribeNetworkInterfaces": "Lambda does it; a condition excludes the function's code",
    "ec2:DeleteNetworkInterface": "Lambda does it; a condition excludes the function's code",
    "ssm:CancelCommand": "for a command that exceeds its timeout",
    "sns:Publish": "if AUTOHEAL_ESCALATION_TOPIC_ARN is set",
    "kafka-cluster:Connect": "MSK checks it when a client signs in",
    "kafka-cluster:DescribeTopic": "MSK checks it when the publisher reads its topics",
    "kafka-cluster:WriteData": "MSK checks it when the publisher sends",
    "kafka-cluster:WriteDataIdempotently": "MSK checks it because the producer is idempotent",
}
"""Allowed actions that no recorded call needs, and what they are for."""


HEALERS = ("api_handler", "autoheal_tick")
"""Each continues what the other has started, so both may do what either was seen to do."""


SHARED_BY_STAGES = {
    "document/AetherLink-*": "the documents of runbooks are the same on every stage",
    "instance/*": "instances have no names; a condition requires our tag",
}
"""Resources without a stage in their name, and why."""


def _matches(pattern: str, arn: str) -> bool:
    expression = "".join(
        {"*": ".*", "?": "."}.get(character, re.escape(character)) for character in pattern
    )
    return re.fullmatch(expression, arn) is not None


def _policy(file: str) -> dict[str, Any]:
    return dict(json.loads((FOLDER / file).read_text()))


def _allowed(file: str) -> set[tuple[str, str]]:
    return {
        (action, resource)
        for statement in _policy(file)["Statement"]
        for action in policies.actions(statement)
        for resource in policies.resources(statement)
    }


def _is_healing(action: str, resource: str) -> bool:
    if action == "dynamodb:Query":
        return "-actions/" in resource
    return "-autoheal-" in resource or (action.startswith("ssm:") and action != "ssm:GetParameter")


def test_every_function_has_a_policy_and_is_recorded() -> None:
    assert set(invocations(uuid4())) == set(FUNCTIONS)
    assert {file.name for file in FOLDER.glob("policy-*.json")} == set(FUNCTIONS.values())


def test_policies_allow_exactly_what_the_functions_do(recorded: Calls) -> None:
    healing = {call for function in HEALERS for call in recorded[function] if _is_healing(*call)}
    for file in set(FUNCTIONS.values()):
        calls = {
            call
            for function, function_calls in recorded.items()
            if FUNCTIONS[function] == file
            for call in function_calls
        }
        calls |= healing if file in {FUNCTIONS[function] for function in HEALERS} else set()
        allowed = {grant for grant in _allowed(file) if grant[0] not in NOT_RECORDED}
        needed = {
            (call, grant)
            for call in calls
            for grant in allowed
            if call[0] == grant[0] and _matches(grant[1], call[1])
        }
        missing = calls - {call for call, _ in needed}
        unused = allowed - {grant for _, grant in needed}
        assert calls, f"{file}: nothing was recorded"
        assert not missing, f"{file} lacks {missing}"
        assert not unused, f"{file} allows what no function does: {unused}"


@pytest.mark.parametrize("file", sorted(set(FUNCTIONS.values())))
def test_policies_allow_single_actions_on_our_own_resources(file: str) -> None:
    for action, resource in _allowed(file):
        assert "*" not in action, f"{file}: {action}"
        if resource.partition(":document/")[2] or resource.endswith("instance/*"):
            assert [suffix for suffix in SHARED_BY_STAGES if resource.endswith(suffix)], resource
        elif resource == "*":
            assert ON_ANY_RESOURCE.get(action), (
                f"{file}: {action} is allowed on any resource without a reason"
            )
        else:
            assert re.search(r"[:/]aetherlink[-/*]", resource), (
                f"{file}: {resource} may belong to another application"
            )
    for statement in _policy(file)["Statement"]:
        if any(action.startswith("ec2:") for action in policies.actions(statement)):
            assert statement["Condition"] == {"Null": {"lambda:SourceFunctionArn": "true"}}


@pytest.mark.parametrize("file", sorted(set(FUNCTIONS.values())))
def test_packaged_policies_are_limited_to_stage_account_and_region(file: str) -> None:
    for statement in policies.narrow(_policy(file), "prod")["Statement"]:
        for resource in statement["Resource"]:
            text = resource if isinstance(resource, str) else resource["Fn::Sub"]
            if text == "*":
                continue
            assert text.startswith("arn:${AWS::Partition}:"), text
            assert "${AWS::Region}:${AWS::AccountId}:" in text
            if "kafka" not in text and not text.endswith(tuple(SHARED_BY_STAGES)):
                assert "prod" in text or "${AWS::StackName}" in text, (
                    f"{text} is not limited to a stage"
                )
