"""docs/configuration.md, generated from the declarations of the settings."""

from collections.abc import Iterator
from dataclasses import MISSING, Field
from pathlib import Path
from typing import Any

from chalicelib.autoheal import runbooks
from chalicelib.config.reader import declared
from chalicelib.shared.setting import ALERT, variable_for

TEMPLATE = Path(__file__).parent / "templates" / "configuration.md"


def page() -> str:
    """Return docs/configuration.md."""
    rows = [_row(variable, default, meaning) for variable, default, meaning in _variables()]
    return TEMPLATE.read_text().format(rows="\n".join(rows))


def _variables() -> Iterator[tuple[str, str, str]]:
    """Yield the variable, the default and the meaning of each setting."""
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
    text = str(entry.default)
    return text.lower() if isinstance(entry.default, bool) else text


def _row(variable: str, default: str, meaning: str) -> str:
    value = f"`{default}`" if default else ""
    return f"| `{variable}` | {value} | {meaning} |"
