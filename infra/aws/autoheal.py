"""The healer's own resources: its four tables, and the documents that it may run."""

import json
from pathlib import Path
from typing import Any

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
KEPT_FOR_EVER = {"ledger"}


def tables(prefix: str) -> dict[str, dict[str, Any]]:
    """Return the tables' properties by resource name, as CloudFormation has them."""
    return {f"Autoheal{name.title()}Table": table(f"{prefix}-{name}", name) for name in KEYS}


def table(full_name: str, name: str) -> dict[str, Any]:
    """Return one table's properties."""
    indexes = INDEXES.get(name, {})
    attributes = sorted({key for keys in (KEYS[name], *indexes.values()) for key in keys})
    made: dict[str, Any] = {
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
        made["GlobalSecondaryIndexes"] = [
            {
                "IndexName": index,
                "KeySchema": _keys(keys),
                "Projection": {"ProjectionType": "ALL"},
            }
            for index, keys in indexes.items()
        ]
    if name not in KEPT_FOR_EVER:
        made["TimeToLiveSpecification"] = {"AttributeName": "expires_at", "Enabled": True}
    return made


def documents() -> dict[str, dict[str, Any]]:
    """Return the documents' contents by name."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(DOCUMENTS.glob("*.json"))}


def resources(prefix: str) -> dict[str, dict[str, Any]]:
    """Return all of it as the resources of a template."""
    found = {
        name: {"Type": "AWS::DynamoDB::Table", "Properties": properties}
        for name, properties in tables(prefix).items()
    }
    for name, content in documents().items():
        properties = {
            "Name": name,
            "DocumentType": "Command",
            "DocumentFormat": "JSON",
            "TargetType": "/AWS::EC2::Instance",
            "UpdateMethod": "NewVersion",
            "Content": content,
        }
        found[f"Document{name.replace('-', '')}"] = {
            "Type": "AWS::SSM::Document",
            "Properties": properties,
        }
    return found


def _keys(names: tuple[str, ...]) -> list[dict[str, str]]:
    return [
        {"AttributeName": name, "KeyType": kind}
        for name, kind in zip(names, ("HASH", "RANGE"), strict=False)
    ]
