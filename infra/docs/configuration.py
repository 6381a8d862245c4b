"""docs/configuration.md: every setting, from its declaration."""

from collections.abc import Iterator
from dataclasses import MISSING, Field
from typing import Any

from chalicelib.autoheal import runbooks
from chalicelib.config.reader import declared
from chalicelib.shared.setting import ALERT, variable_for

CONFIGURATION = """\
# Configuration

Every setting is an environment variable, read once by `chalicelib/config`. This page is generated from it
(`make fmt`). A value that cannot be read stops the function with an error that names the variable.

What is marked **Secret** may be a reference, and on stages other than `local` has to be one: `secretsmanager:<name or
ARN>`, with `#<key>` for one key of a JSON object, or `ssm:<parameter>` for a SecureString.
[deployment.md](deployment.md#secrets) tells how they are read and changed.

| variable | default | meaning |
| --- | --- | --- |
{rows}

The local stack itself has a few more:

| variable | default | meaning |
| --- | --- | --- |
| `AETHERLINK_POSTGRES_PORT` | `54329` | Where the local PostgreSQL listens. |
| `AETHERLINK_KAFKA_PORT` | `19092` | Where the local Kafka listens; its controller takes the next port. |
| `AETHERLINK_EMULATOR_PORT` | `4566` | Where the AWS emulator listens. |
| `AETHERLINK_ISSUER_PORT` | `9400` | Where the local OpenID Connect issuer listens. |
| `AETHERLINK_SERVICES_PORT` | `18081` | Where the first demo service listens; the second takes the next port. |
| `AETHERLINK_SSM_PORT` | `4567` | Where the local Systems Manager listens. |
| `AETHERLINK_ALERTMANAGER_PORT` | `19094` | Where Alertmanager listens. |
| `AETHERLINK_PUSHGATEWAY_PORT` | `19091` | Where the pushgateway listens. |
| `AETHERLINK_BLACKBOX_PORT` | `19115` | Where the blackbox exporter listens. |
| `AETHERLINK_PROMETHEUS_PORT` | `19090` | Where Prometheus listens. |
| `KAFKA_BROKER` | best there is | `external`, `apache` or `embedded`: which broker the local stack and the tests use. |
| `OWNER_DATABASE_URL` | | The database as its owner, for `python -m infra.ops migrate`. |
"""


def page() -> str:
    """Return docs/configuration.md."""
    rows = [_row(variable, default, meaning) for variable, default, meaning in _variables()]
    return CONFIGURATION.format(rows="\n".join(rows))


def _variables() -> Iterator[tuple[str, str, str]]:
    """Yield the variable, the default and the meaning of every setting."""
    for _, entry in declared():
        meaning = entry.metadata["meaning"]
        if "env_by_alert" in entry.metadata:
            for alertname, runbook in sorted(runbooks.load().items()):
                if not runbook.drill:
                    variable = variable_for(entry.metadata["env_by_alert"], alertname)
                    yield variable, "", meaning.replace(ALERT, alertname)
        else:
            secret = " **Secret.**" if entry.metadata.get("secret") else ""
            yield entry.metadata["env"], _default(entry), meaning + secret


def _default(entry: Field[Any]) -> str:
    if entry.default in ("", (), None, MISSING):
        return ""
    return str(entry.default).lower() if isinstance(entry.default, bool) else str(entry.default)


def _row(variable: str, default: str, meaning: str) -> str:
    shown = f"`{default}`" if default else ""
    return f"| `{variable}` | {shown} | {meaning} |"
