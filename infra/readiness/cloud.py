"""The cloud: what functions carry in their environment, how tables are kept, whether there are backups."""

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
    """Return the names of the variables that carry a secret themselves instead of a reference to it."""
    texts = [one for one in secrets if one]
    found = []
    for name, value in environment.items():
        carries = name in NAMES and value and not value.startswith(REFERENCE)
        if carries or WITH_PASSWORD.search(value) or any(one in value for one in texts):
            found.append(name)
    return sorted(found)


def _functions(target: Target) -> list[dict[str, Any]]:
    pages = target.aws("lambda").get_paginator("list_functions").paginate()
    found = [one for page in pages for one in page["Functions"]]
    return [
        one
        for one in found
        if target.stage in one.get("Environment", {}).get("Variables", {}).get("STAGE", "")
    ]


@check(
    "secrets",
    "no function carries a secret",
    "put it into Secrets Manager, refer to it; docs/security.md",
)
def _secrets(target: Target) -> str:
    functions = _functions(target)
    if not functions:
        raise Wrong(f"there are no functions of stage {target.stage}")
    for one in functions:
        found = leaks(one["Environment"]["Variables"], target.secrets.values())
        if found:
            raise Wrong(f"{one['FunctionName']} carries {', '.join(found)} in plain text")
    return f"{len(functions)} functions carry references only"


def tables(settings: Settings) -> dict[str, bool]:
    """Return the deployment's tables, and whether their items end by themselves."""
    found = {}
    if settings.idempotency.table:
        found[settings.idempotency.table] = True
    if prefix := settings.autoheal_store.table_prefix:
        found |= {f"{prefix}-{name}": name not in autoheal.KEPT_FOR_EVER for name in autoheal.KEYS}
    return found


def _deployed(target: Target) -> dict[str, bool]:
    """Return the tables of the deployed functions, by what these were told."""
    for one in _functions(target):
        variables = one["Environment"]["Variables"]
        settings = Settings().changed(
            idempotency={"table": variables.get("IDEMPOTENCY_TABLE", "")},
            autoheal_store={"table_prefix": variables.get("AUTOHEAL_TABLE_PREFIX", "")},
        )
        if found := tables(settings):
            return found
    raise Wrong(f"no function of stage {target.stage} names its tables")


@check("expiry", "tables forget what is over", "deploy the template: it switches TTL on")
def _expiry(target: Target) -> str:
    dynamodb = target.aws("dynamodb")
    ends = _deployed(target)
    for name, wanted in ends.items():
        told = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
        if wanted and told["TimeToLiveStatus"] not in ("ENABLED", "ENABLING"):
            raise Wrong(f"{name} keeps its items for ever: TTL is {told['TimeToLiveStatus']}")
    return f"{sum(ends.values())} tables forget what is over"


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
            told = dynamodb.describe_continuous_backups(TableName=name)[
                "ContinuousBackupsDescription"
            ]
        except ClientError as problem:
            if problem.response["Error"]["Code"] in UNSUPPORTED:
                raise NotHere("this emulator knows no point-in-time recovery") from None
            raise
        state = told.get("PointInTimeRecoveryDescription", {}).get(
            "PointInTimeRecoveryStatus", "DISABLED"
        )
        without += [name] if state != "ENABLED" else []
    healers = [name for name in without if name.startswith(f"{OURS}autoheal")]
    if healers:
        raise Wrong(f"no point-in-time recovery: {', '.join(healers)}")
    return f"{len(names) - len(without)} tables can be put back to any second"


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
        raise NotHere("no RDS instances: look after the database's backups where it runs")
    without = [one["DBInstanceIdentifier"] for one in instances if not one["BackupRetentionPeriod"]]
    if without:
        raise Wrong(f"no backups are kept of {', '.join(without)}")
    return f"{len(instances)} databases keep backups"


CHECKS = (_secrets, _expiry, _recovery, _backups)
