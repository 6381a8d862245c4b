"""Checks of the cloud: secrets in environments, table expiry and recovery, backups."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.config import Settings
from infra.aws import autoheal
from infra.aws.secrets import NAMES
from infra.readiness.check import NotHere, Wrong, check
from infra.readiness.target import Target

OURS = "aetherlink-"
REFERENCE = ("secretsmanager:", "ssm:")
WITH_PASSWORD = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s:@]+:[^/\s@]+@")
UNSUPPORTED = {
    "UnknownOperationException",
    "NotImplemented",
    "501",
    "InvalidAction",
    "UnknownOperation",
}


def leaks(environment: Mapping[str, str], secrets: Iterable[str]) -> list[str]:
    """Return the names of variables with a secret instead of a reference to it."""
    texts = [secret for secret in secrets if secret]
    names = []
    for name, value in environment.items():
        carries = name in NAMES and value and not value.startswith(REFERENCE)
        if carries or WITH_PASSWORD.search(value) or any(text in value for text in texts):
            names.append(name)
    return sorted(names)


def _functions(target: Target) -> list[dict[str, Any]]:
    pages = target.aws("lambda").get_paginator("list_functions").paginate()
    functions = [function for page in pages for function in page["Functions"]]
    return [
        function for function in functions if target.stage in _variables(function).get("STAGE", "")
    ]


def _variables(function: Mapping[str, Any]) -> Mapping[str, str]:
    variables: Mapping[str, str] = function.get("Environment", {}).get("Variables", {})
    return variables


@check(
    "secrets",
    "no function carries a secret",
    "put it into Secrets Manager, refer to it; docs/security.md",
)
def _secrets(target: Target) -> str:
    functions = _functions(target)
    if not functions:
        raise Wrong(f"there are no functions of stage {target.stage}")
    for function in functions:
        names = leaks(function["Environment"]["Variables"], target.secrets.values())
        if names:
            raise Wrong(f"{function['FunctionName']} carries {', '.join(names)} in plain text")
    return f"{len(functions)} functions carry references only"


def tables(settings: Settings) -> dict[str, bool]:
    """Return the deployment's tables, and whether their items expire."""
    expiry_by_table = {}
    if settings.idempotency.table:
        expiry_by_table[settings.idempotency.table] = True
    if prefix := settings.autoheal_store.table_prefix:
        expiry_by_table |= {
            f"{prefix}-{name}": name not in autoheal.KEPT_FOR_EVER for name in autoheal.KEYS
        }
    return expiry_by_table


def _deployed(target: Target) -> dict[str, bool]:
    """Return the tables that the deployed functions' environment names."""
    for function in _functions(target):
        variables = function["Environment"]["Variables"]
        settings = Settings().changed(
            idempotency={"table": variables.get("IDEMPOTENCY_TABLE", "")},
            autoheal_store={"table_prefix": variables.get("AUTOHEAL_TABLE_PREFIX", "")},
        )
        if expiry_by_table := tables(settings):
            return expiry_by_table
    raise Wrong(f"no function of stage {target.stage} names its tables")


@check("expiry", "tables delete expired items", "deploy the template: it switches TTL on")
def _expiry(target: Target) -> str:
    dynamodb = target.aws("dynamodb")
    ends = _deployed(target)
    for name, expires in ends.items():
        ttl = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
        if expires and ttl["TimeToLiveStatus"] not in ("ENABLED", "ENABLING"):
            raise Wrong(f"{name} keeps its items forever: TTL is {ttl['TimeToLiveStatus']}")
    return f"{sum(ends.values())} tables delete expired items"


@check(
    "recovery",
    "tables can be recovered",
    "deploy the template: it switches point-in-time recovery on",
)
def _recovery(target: Target) -> str:
    dynamodb = target.aws("dynamodb")
    names = _deployed(target)
    without = []
    for name in names:
        try:
            backups = dynamodb.describe_continuous_backups(TableName=name)[
                "ContinuousBackupsDescription"
            ]
        except ClientError as problem:
            if problem.response["Error"]["Code"] in UNSUPPORTED:
                raise NotHere("this emulator does not support point-in-time recovery") from None
            raise
        state = backups.get("PointInTimeRecoveryDescription", {}).get(
            "PointInTimeRecoveryStatus", "DISABLED"
        )
        without += [name] if state != "ENABLED" else []
    healers = [name for name in without if name.startswith(f"{OURS}autoheal")]
    if healers:
        raise Wrong(f"no point-in-time recovery: {', '.join(healers)}")
    return f"{len(names) - len(without)} tables can be restored to any second"


@check(
    "backups",
    "the database is backed up",
    "aws rds modify-db-instance --backup-retention-period 7",
)
def _backups(target: Target) -> str:
    if target.local:
        raise NotHere("the local PostgreSQL has no managed backups")
    instances = target.aws("rds").describe_db_instances()["DBInstances"]
    if not instances:
        raise NotHere("no RDS instances: check the database's backups where it runs")
    without = [
        instance["DBInstanceIdentifier"]
        for instance in instances
        if not instance["BackupRetentionPeriod"]
    ]
    if without:
        raise Wrong(f"no backups are kept of {', '.join(without)}")
    return f"{len(instances)} databases keep backups"


CHECKS = (_secrets, _expiry, _recovery, _backups)
