"""The functions' IAM policies, narrowed to one deployment.

Chalice reads `.chalice/policy-*.json` as they are, for every stage and account, so stage,
region and account are wildcards there. A package knows its stage, and CloudFormation knows
region and account, so a package's policies name them.
"""

import json
import re
from pathlib import Path
from typing import Any

ANYWHERE = re.compile(r"arn:\*:([a-z0-9-]+):\*:\*:")
STAGE = re.compile(r"(aetherlink(?:/|-[a-z]+-))\*")
"""The first part after `aetherlink/` or `aetherlink-<what>-` in a name is the stage."""

DOCUMENTS = "document/AetherLink-*"

LOGS = "/aws/lambda/aetherlink-*"


def narrow(policy: dict[str, Any], stage: str) -> dict[str, Any]:
    """Return `policy` for `stage`, in its deployment's region, account and stack."""
    return {
        **policy,
        "Statement": [
            {
                **statement,
                "Resource": [_resource(arn, stage) for arn in resources(statement)],
            }
            for statement in policy["Statement"]
        ],
    }


def narrow_all(folder: Path, stage: str) -> None:
    """Narrow every policy file in `folder` in place."""
    for file in folder.glob("policy-*.json"):
        file.write_text(json.dumps(narrow(json.loads(file.read_text()), stage)))


def resources(statement: dict[str, Any]) -> list[str]:
    """Return the resources of a policy's `statement`."""
    return _list(statement["Resource"])


def actions(statement: dict[str, Any]) -> list[str]:
    """Return the actions of a policy's `statement`."""
    return _list(statement["Action"])


def _list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _resource(arn: str, stage: str) -> str | dict[str, str]:
    """Return `arn` without its wildcards for stage, stack, region and account."""
    arn = STAGE.sub(rf"\g<1>{stage}", arn)
    arn = arn.replace(DOCUMENTS, f"document/AetherLink-{stage}-*")
    arn = arn.replace(LOGS, "/aws/lambda/${AWS::StackName}-*")
    arn = ANYWHERE.sub(r"arn:${AWS::Partition}:\1:${AWS::Region}:${AWS::AccountId}:", arn)
    return {"Fn::Sub": arn} if "${" in arn else arn
