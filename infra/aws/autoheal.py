"""The resources of autoheal: its four tables, and the SSM documents that it may run."""

import json
from pathlib import Path
from typing import Any

from chalicelib.autoheal.runbooks import deployed_name

DOCUMENTS = Path(__file__).with_name("ssm")
PREFIX_SETTING = "AUTOHEAL_TABLE_PREFIX"
KEYS = {
    "state": ("pk",),
    "actions": ("action_id",),
    "audit": ("pk", "sk"),
    "ledger": ("pk", "sk"),
}
INDEXES = {
    "actions": {"due": ("state", "next_check"), "all_of": ("all_of", "created_at")},
    "audit": {"kind_day": ("kind_day", "sk"), "alertname_day": ("alertname_day", "sk")},
}
NUMBERS = {"next_check"}
"""The key attributes that are numbers; all others are strings."""

KEPT_FOR_EVER = {"ledger"}
"""The tables whose items do not expire."""


def tables(prefix: str) -> dict[str, dict[str, Any]]:
    """Return the tables' properties by resource name, as CloudFormation writes them."""
    resource = "Autoheal{}Table"
    return {resource.format(name.title()): table(f"{prefix}-{name}", name) for name in KEYS}


def table(full_name: str, name: str) -> dict[str, Any]:
    """Return one table's properties."""
    indexes = INDEXES.get(name, {})
    attributes = sorted({key for keys in (KEYS[name], *indexes.values()) for key in keys})
    properties: dict[str, Any] = {
        "TableName": full_name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": key, "AttributeType": "N" if key in NUMBERS else "S"}
            for key in attributes
        ],
        "KeySchema": _keys(KEYS[name]),
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
    }
    if indexes:
        properties["GlobalSecondaryIndexes"] = [
            {
                "IndexName": index,
                "KeySchema": _keys(keys),
                "Projection": {"ProjectionType": "ALL"},
            }
            for index, keys in indexes.items()
        ]
    if name not in KEPT_FOR_EVER:
        properties["TimeToLiveSpecification"] = {
            "AttributeName": "expires_at",
            "Enabled": True,
        }
    return properties


def documents() -> dict[str, dict[str, Any]]:
    """Return the documents' contents by name."""
    paths = sorted(DOCUMENTS.glob("*.json"))
    return {path.stem: json.loads(path.read_text()) for path in paths}


def deployed_documents(stage: str) -> dict[str, dict[str, Any]]:
    """Return the documents' contents by the names that they have on `stage`."""
    return {deployed_name(name, stage): content for name, content in documents().items()}


def resources(prefix: str, stage: str) -> dict[str, dict[str, Any]]:
    """Return the tables and the documents of `stage` as the resources of a template."""
    template = {
        name: {"Type": "AWS::DynamoDB::Table", "Properties": properties}
        for name, properties in tables(prefix).items()
    }
    for name, content in documents().items():
        template[f"Document{name.replace('-', '')}"] = {
            "Type": "AWS::SSM::Document",
            "Properties": {
                "Name": deployed_name(name, stage),
                "DocumentType": "Command",
                "DocumentFormat": "JSON",
                "TargetType": "/AWS::EC2::Instance",
                "UpdateMethod": "NewVersion",
                "Content": content,
            },
        }
    return template


def _keys(names: tuple[str, ...]) -> list[dict[str, str]]:
    """Return the key schema of a partition key and, if there are two names, a sort key."""
    return [
        {"AttributeName": name, "KeyType": kind}
        for name, kind in zip(names, ("HASH", "RANGE"), strict=False)
    ]
