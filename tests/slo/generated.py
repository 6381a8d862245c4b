"""Rules generated from our objectives, as they are or changed by a test."""

from pathlib import Path
from typing import Any

import yaml

from infra.slo import read, rules
from infra.slo.durations import Scale
from infra.slo.rules import Rule


def changed(tmp_path: Path, change: Any) -> Path:
    """Return a file of our objectives after `change`: a function of the data, or two texts."""
    text = read.OBJECTIVES.read_text()
    if callable(change):
        data = yaml.safe_load(text)
        change(data)
        text = yaml.safe_dump(data)
    else:
        before, after = change
        assert before in text
        text = text.replace(before, after)
    path = tmp_path / "objectives.yml"
    path.write_text(text)
    return path


def built(scale: int = 1, objectives: Path = read.OBJECTIVES) -> list[Rule]:
    """Return the generated rules of all groups."""
    groups = rules.build(read.objectives(objectives), read.alerts(), Scale(scale))
    return [rule for group in groups for rule in group["rules"]]


def alerting() -> dict[str, Rule]:
    """Return the generated alerts by name."""
    return {rule["alert"]: rule for rule in built() if "alert" in rule}
