"""Files of objectives and alerts, read strictly; an error names the objective or alert."""

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
    """Objectives or alerts are invalid; the text has a line for each problem."""


def objectives(path: Path = OBJECTIVES) -> Objectives:
    """Read objectives. Raises `InvalidObjectives`."""
    document: Objectives = _read(Objectives, path)
    return document


def alerts(path: Path = ALERTS) -> Alerts:
    """Read the alerts on symptoms. Raises `InvalidObjectives`."""
    document: Alerts = _read(Alerts, path)
    return document


def _read(model: type[Strict], path: Path) -> Any:
    try:
        data = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as problem:
        raise InvalidObjectives(f"{path}: cannot be read: {problem}") from problem
    try:
        return model.model_validate(data)
    except ValidationError as problem:
        lines = [
            f"{path}: {_place(data, error['loc'])}{_message(error)}" for error in problem.errors()
        ]
        raise InvalidObjectives("\n".join(lines)) from problem


def _place(data: Any, where: Sequence[int | str]) -> str:
    """Return the path of a problem, with objectives and alerts by name, not by number."""
    names: list[str] = []
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
        names.append(str(named or step))
    return ".".join(names) + ": " if names else ""


def _message(problem: Any) -> str:
    if problem["type"] == "extra_forbidden":
        return "unknown key: remove it, or correct its spelling"
    text = str(problem["msg"]).removeprefix("Value error, ")
    if problem["type"] == "value_error":
        return text
    return f"{text} (it is {problem['input']!r})"[:300]
