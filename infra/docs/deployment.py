"""The tables of docs/deployment.md: functions, secrets, tables and permissions, from the code.

The page is written by hand around them. A table stands between two comments:
`<!-- generated: functions -->` and `<!-- end -->`.
"""

import json
import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from infra.aws import autoheal, policies, secrets
from infra.aws.template import idempotency_table
from infra.paths import ROOT

PAGE: Final = ROOT / "docs" / "deployment.md"
CHALICE: Final = ROOT / ".chalice"
BLOCK: Final = re.compile(r"(<!-- generated: ([a-z]+) -->\n).*?(<!-- end -->)", re.DOTALL)
API: Final = "api_handler"
TABLE_PURPOSES: Final = {
    "idempotency": "idempotency keys and their answers; each tenant's request counters",
    "state": "episodes, locks, cooldowns, budgets, breakers, the configuration, leases",
    "actions": "remediations and their states",
    "audit": "the audit log",
    "ledger": "metric totals of all functions",
}


def page() -> str:
    """Return docs/deployment.md with its generated tables.

    Raises:
        KeyError: the page asks for a table that does not exist.
    """

    def replace(match: re.Match[str]) -> str:
        return f"{match[1]}{TABLES[match[2]]()}\n{match[3]}"

    return BLOCK.sub(replace, PAGE.read_text())


def functions() -> str:
    """Return the table of the functions."""
    schedules = _schedules()
    rows = []
    for name, settings in _config()["lambda_functions"].items():
        trigger = "API Gateway" if name == API else f"schedule, {schedules[name]}"
        memory = settings["lambda_memory_size"]
        seconds = settings["lambda_timeout"]
        rows.append((f"`{name}`", trigger, f"{memory} MB", f"{seconds} s", _description(name)))
    return _table(("function", "trigger", "memory", "time limit", "what it does"), rows)


def secret_names() -> str:
    """Return the table of the secrets: their names, and the functions that may read them."""
    rows = []
    for setting in sorted(secrets.NAMES):
        readers = [f"`{name}`" for name, policy in _policies().items() if _reads(policy, setting)]
        rows.append((f"`{setting}`", f"`{secrets.name(setting, '<stage>')}`", ", ".join(readers)))
    return _table(("setting", "name of the secret", "read by"), rows)


def dynamodb_tables() -> str:
    """Return the table of the DynamoDB tables."""
    described: dict[str, dict[str, Any]] = {
        "idempotency": idempotency_table("aetherlink-idempotency-<stage>")
    }
    for name in autoheal.KEYS:
        described[name] = autoheal.table(f"aetherlink-autoheal-<stage>-{name}", name)
    rows = []
    for name, table in described.items():
        keys = ", ".join(f"`{key['AttributeName']}`" for key in table["KeySchema"])
        expiry = table.get("TimeToLiveSpecification", {})
        attribute = expiry.get("AttributeName")
        rows.append(
            (
                f"`{table['TableName']}`",
                keys,
                f"`{attribute}`" if attribute else "never",
                TABLE_PURPOSES[name],
            )
        )
    return _table(("table", "keys", "expires by", "holds"), rows)


def permissions() -> str:
    """Return the table of the actions that each function may call, by service."""
    rows = []
    for name, policy in _policies().items():
        by_service: dict[str, set[str]] = {}
        for statement in policy["Statement"]:
            for action in policies.actions(statement):
                service, _, call = action.partition(":")
                by_service.setdefault(service, set()).add(call)
        calls = "; ".join(
            f"{service}: {', '.join(sorted(calls))}"
            for service, calls in sorted(by_service.items())
        )
        rows.append((f"`{name}`", calls))
    return _table(("function", "may call"), rows)


TABLES: Final[dict[str, Callable[[], str]]] = {
    "functions": functions,
    "secrets": secret_names,
    "tables": dynamodb_tables,
    "permissions": permissions,
}


def _config() -> dict[str, Any]:
    config: dict[str, Any] = json.loads((CHALICE / "config.json").read_text())
    return config


def _policies() -> dict[str, dict[str, Any]]:
    """Return each function's policy."""
    return {
        name: json.loads((CHALICE / settings["iam_policy_file"]).read_text())
        for name, settings in _config()["lambda_functions"].items()
    }


def _reads(policy: dict[str, Any], setting: str) -> bool:
    name = secrets.NAMES[setting]
    return any(
        f"/{name}" in resource
        for statement in policy["Statement"]
        if "secretsmanager:GetSecretValue" in policies.actions(statement)
        for resource in policies.resources(statement)
    )


def _schedules() -> dict[str, str]:
    """Return the schedule of each scheduled function, in words."""
    import app  # the functions register themselves when they are imported

    return {
        source.name: re.sub(r"rate\(1 (\w+)\)", r"every \1", source.schedule_expression.to_string())
        for source in app.app.event_sources
    }


def _description(name: str) -> str:
    """Return the first line of the function's docstring, without its full stop."""
    import app

    if name == API:
        return "Answer HTTP requests"
    documented = getattr(app, name)
    text = documented.__doc__ or getattr(documented, "func", documented).__doc__ or ""
    return str(text).strip().splitlines()[0].rstrip(".")


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    columns = list(head)
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
