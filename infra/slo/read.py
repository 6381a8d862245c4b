"""Files of objectives and alerts, read strictly; what is wrong is said by name."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError

from infra.slo.alerts import Alerts
from infra.slo.objectives import Objectives, Strict

HERE: Final = Path(__file__).parent
OBJECTIVES: Final = HERE / "objectives.yml"
ALERTS: Final = HERE / "alerts.yml"


class InvalidObjectives(Exception):
    """Objectives or alerts are invalid; the text has a line for each problem and its place."""


def objectives(path: Path = OBJECTIVES) -> Objectives:
    """Read objectives. Raises `InvalidObjectives`."""
    found: Objectives = _read(Objectives, path)
    return found


def alerts(path: Path = ALERTS) -> Alerts:
    """Read the alerts on symptoms. Raises `InvalidObjectives`."""
    found: Alerts = _read(Alerts, path)
    return found


def _read(model: type[Strict], path: Path) -> Any:
    try:
        data = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as problem:
        raise InvalidObjectives(f"{path}: cannot be read: {problem}") from problem
    try:
        return model.model_validate(data)
    except ValidationError as problem:
        lines = [f"{path}: {_place(data, one['loc'])}{_said(one)}" for one in problem.errors()]
        raise InvalidObjectives("\n".join(lines)) from problem


def _place(data: Any, where: Sequence[int | str]) -> str:
    """Return where it is, with the objective or alert by its name rather than its number."""
    parts: list[str] = []
    for step in where:
        try:
            data = data[step]
        except (LookupError, TypeError):
            data = None
        named = (
            data.get("name") or data.get("alert")
            if isinstance(step, int) and isinstance(data, dict)
            else None
        )
        parts.append(str(named or step))
    return ".".join(parts) + ": " if parts else ""


def _said(problem: Any) -> str:
    if problem["type"] == "extra_forbidden":
        return "unknown key: remove it, or correct its spelling"
    text = str(problem["msg"]).removeprefix("Value error, ")
    return (
        text if problem["type"] == "value_error" else f"{text} (it is {problem['input']!r})"[:300]
    )
