"""The dashboard: valid for Grafana's SDK, its expressions for Prometheus, no overlap."""

import itertools
import json
import re
import subprocess
import sys
import types
import typing
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models

from infra.local.errors import ServiceFailed
from infra.paths import ROOT
from infra.slo import dashboard, outputs, read
from infra.slo.objectives import Objectives
from tests.slo import promtool

OBJECTIVES = read.objectives()
TEXT = dashboard.build(OBJECTIVES)
GENERATED = json.loads(TEXT)
PANELS = list(dashboard.panels(GENERATED))
OWN = """
  - name: checkout
    objective: 99.5
    sli: {events: {
      error_query: 'sum(rate(http_requests_total{job="checkout",code=~"5.."}[{{.window}}]))',
      total_query: 'sum(rate(http_requests_total{job="checkout"}[{{.window}}]))'}}
"""


def faults(value: Any, expected: Any, where: str) -> list[str]:
    """Return where `value`, or a model in it, is not of the type that the SDK declares."""
    origin = typing.get_origin(expected)
    arguments = typing.get_args(expected)
    if expected is Any or expected is object or isinstance(expected, typing.TypeVar):
        return []
    if origin in (typing.Union, types.UnionType):
        tried = [faults(value, argument, where) for argument in arguments]
        return [] if any(not errors for errors in tried) else tried[0]
    if origin is typing.Literal:
        return [] if value in arguments else [f"{where}: {value!r}"]
    if origin is list:
        if not isinstance(value, list):
            return [f"{where}: no list"]
        items = [faults(item, arguments[0], f"{where}[{n}]") for n, item in enumerate(value)]
        return list(itertools.chain(*items))
    if origin is dict:
        return [] if isinstance(value, dict) else [f"{where}: no object"]
    if expected is float and isinstance(value, int) and not isinstance(value, bool):
        return []
    if isinstance(expected, type) and issubclass(expected, Enum):
        allowed = {member.value for member in expected} | set(expected)
        return [] if value in allowed else [f"{where}: {value!r}"]
    if (
        not isinstance(expected, type)
        or not isinstance(value, expected)
        or (expected is int and isinstance(value, bool))
    ):
        return [f"{where}: {value!r} is no {expected}"]
    if isinstance(value, Enum) or not type(value).__module__.startswith("grafana_foundation_sdk"):
        return []
    hints = typing.get_type_hints(type(value), vars(sys.modules[type(value).__module__]))
    members = [
        faults(getattr(value, name), hint, f"{where}.{name}") for name, hint in hints.items()
    ]
    return list(itertools.chain(*members))


def test_the_committed_dashboard_is_up_to_date() -> None:
    assert (ROOT / "infra/grafana/dashboards" / outputs.DASHBOARD).read_text() == TEXT


def test_the_dashboard_matches_the_sdk_s_schema() -> None:
    loaded = models.Dashboard.from_json(json.loads(TEXT))
    assert json.loads(JSONEncoder().encode(loaded)) == GENERATED, (
        "a key that the schema does not know is lost on the way"
    )
    assert faults(loaded, models.Dashboard, "dashboard") == []


@pytest.mark.parametrize(
    ("change", "noticed"),
    [
        (lambda board: board.update(unknown=1), "lost"),
        (lambda board: board["panels"][1].update(title=7), "title"),
        (lambda board: board["panels"][1]["gridPos"].update(w="wide"), "grid_pos"),
        (lambda board: board.update(editable="yes"), "editable"),
    ],
)
def test_a_violation_of_the_schema_is_detected(change: Any, noticed: str) -> None:
    wrong = json.loads(TEXT)
    change(wrong)
    loaded = models.Dashboard.from_json(json.loads(json.dumps(wrong)))
    lost = [] if json.loads(JSONEncoder().encode(loaded)) == wrong else ["lost"]
    assert any(
        noticed in error for error in [*lost, *faults(loaded, models.Dashboard, "dashboard")]
    )


def test_the_dashboard_has_no_null() -> None:
    assert "null" not in TEXT, "the schema accepts no null, not even in thresholds"


def test_panels_do_not_overlap() -> None:
    every = GENERATED["panels"]
    assert len({panel["id"] for panel in every}) == len(every)
    taken: set[tuple[int, int]] = set()
    for panel in every:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = set(
            itertools.product(
                range(place["x"], place["x"] + place["w"]),
                range(place["y"], place["y"] + place["h"]),
            )
        )
        assert not cells & taken, panel["title"]
        taken |= cells


def test_every_panel_has_a_description_unit_and_query() -> None:
    for panel in PANELS:
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["targets"], panel["title"]
        assert all(query["datasource"]["uid"] == "${datasource}" for query in panel["targets"])
    titles = [panel["title"] for panel in PANELS]
    assert len(set(titles)) == len(titles)


def test_prometheus_accepts_every_expression(tmp_path: Path) -> None:
    expressions = list(itertools.chain(*dashboard.queries(TEXT, "1m").values()))
    assert not [expression for expression in expressions if "$" in expression]
    rules = [
        {"record": f"panel:{number}", "expr": expression}
        for number, expression in enumerate(expressions)
    ]
    path = tmp_path / "panels.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    try:
        done: subprocess.CompletedProcess[str] = promtool.run("check", "rules", path)
    except ServiceFailed as problem:
        pytest.skip(f"no promtool: {problem}")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_recorded_name_in_a_query_exists() -> None:
    recorded = set(
        re.findall(r"record: (\S+)", (ROOT / "infra/prometheus/rules" / outputs.RULES).read_text())
    )
    asked = "\n".join(itertools.chain(*dashboard.queries(TEXT, "1m").values()))
    used = set(re.findall(r"autoheal:[a-z_0-9:]+", asked))
    assert used
    assert used <= recorded


def test_a_new_objective_gets_its_panel() -> None:
    data = yaml.safe_load(read.OBJECTIVES.read_text())
    data["slos"] += yaml.safe_load(OWN)
    extended = json.loads(dashboard.build(Objectives.model_validate(data)))
    added = {panel["title"] for panel in dashboard.panels(extended)}
    added -= {panel["title"] for panel in PANELS}
    assert added == {"checkout: 99.5 %"}


def test_runbooks_are_linked_if_they_have_an_address() -> None:
    assert GENERATED.get("links", []) == []
    data = yaml.safe_load(read.OBJECTIVES.read_text()) | {
        "x-runbooks": "https://example.test/runbooks/"
    }
    extended = json.loads(dashboard.build(Objectives.model_validate(data)))
    assert [link["url"] for link in extended["links"]] == ["https://example.test/runbooks/"]
