"""The dashboard: as Grafana's SDK knows it, every expression as Prometheus reads it, nothing in another's place."""

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
MADE = json.loads(TEXT)
PANELS = list(dashboard.panels(MADE))
OWN = """
  - name: checkout
    objective: 99.5
    sli: {events: {
      error_query: 'sum(rate(http_requests_total{job="checkout",code=~"5.."}[{{.window}}]))',
      total_query: 'sum(rate(http_requests_total{job="checkout"}[{{.window}}]))'}}
"""


def faults(value: Any, wanted: Any, where: str) -> list[str]:
    """Return where `value` is not of the type that the SDK's model declares; models are looked into."""
    origin = typing.get_origin(wanted)
    arguments = typing.get_args(wanted)
    if wanted is Any or wanted is object or isinstance(wanted, typing.TypeVar):
        return []
    if origin in (typing.Union, types.UnionType):
        tried = [faults(value, one, where) for one in arguments]
        return [] if any(not one for one in tried) else tried[0]
    if origin is typing.Literal:
        return [] if value in arguments else [f"{where}: {value!r}"]
    if origin is list:
        if not isinstance(value, list):
            return [f"{where}: no list"]
        found = [faults(one, arguments[0], f"{where}[{n}]") for n, one in enumerate(value)]
        return list(itertools.chain(*found))
    if origin is dict:
        return [] if isinstance(value, dict) else [f"{where}: no object"]
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return []
    if isinstance(wanted, type) and issubclass(wanted, Enum):
        return (
            [] if value in {one.value for one in wanted} | set(wanted) else [f"{where}: {value!r}"]
        )
    if (
        not isinstance(wanted, type)
        or not isinstance(value, wanted)
        or (wanted is int and isinstance(value, bool))
    ):
        return [f"{where}: {value!r} is no {wanted}"]
    if isinstance(value, Enum) or not type(value).__module__.startswith("grafana_foundation_sdk"):
        return []
    hints = typing.get_type_hints(type(value), vars(sys.modules[type(value).__module__]))
    members = [
        faults(getattr(value, name), hint, f"{where}.{name}") for name, hint in hints.items()
    ]
    return list(itertools.chain(*members))


def test_the_committed_dashboard_is_this_one() -> None:
    assert (ROOT / "infra/grafana/dashboards" / outputs.DASHBOARD).read_text() == TEXT


def test_it_is_as_the_sdk_s_schema_has_it() -> None:
    loaded = models.Dashboard.from_json(json.loads(TEXT))
    assert json.loads(JSONEncoder().encode(loaded)) == MADE, (
        "a key that the schema does not know is lost on the way"
    )
    assert faults(loaded, models.Dashboard, "dashboard") == []


@pytest.mark.parametrize(
    ("change", "noticed"),
    [
        (lambda one: one.update(unknown=1), "lost"),
        (lambda one: one["panels"][1].update(title=7), "title"),
        (lambda one: one["panels"][1]["gridPos"].update(w="wide"), "grid_pos"),
        (lambda one: one.update(editable="yes"), "editable"),
    ],
)
def test_what_is_not_as_the_schema_has_it_is_noticed(change: Any, noticed: str) -> None:
    wrong = json.loads(TEXT)
    change(wrong)
    loaded = models.Dashboard.from_json(json.loads(json.dumps(wrong)))
    lost = [] if json.loads(JSONEncoder().encode(loaded)) == wrong else ["lost"]
    assert any(noticed in one for one in [*lost, *faults(loaded, models.Dashboard, "dashboard")])


def test_there_is_no_null() -> None:
    assert "null" not in TEXT, "the schema takes none, in thresholds neither"


def test_nothing_lies_over_anything_else() -> None:
    every = MADE["panels"]
    assert len({one["id"] for one in every}) == len(every)
    taken: set[tuple[int, int]] = set()
    for one in every:
        place = one["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = set(
            itertools.product(
                range(place["x"], place["x"] + place["w"]),
                range(place["y"], place["y"] + place["h"]),
            )
        )
        assert not cells & taken, one["title"]
        taken |= cells


def test_every_panel_says_what_it_shows() -> None:
    for panel in PANELS:
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["targets"], panel["title"]
        assert all(one["datasource"]["uid"] == "${datasource}" for one in panel["targets"])
    titles = [panel["title"] for panel in PANELS]
    assert len(set(titles)) == len(titles)


def test_prometheus_reads_every_expression(tmp_path: Path) -> None:
    found = list(itertools.chain(*dashboard.queries(TEXT, "1m").values()))
    assert not [one for one in found if "$" in one]
    rules = [{"record": f"panel:{number}", "expr": one} for number, one in enumerate(found)]
    path = tmp_path / "panels.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    try:
        done: subprocess.CompletedProcess[str] = promtool.run("check", "rules", path)
    except ServiceFailed as problem:
        pytest.skip(f"no promtool: {problem}")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_name_is_recorded_or_in_the_ledger() -> None:
    recorded = set(
        re.findall(r"record: (\S+)", (ROOT / "infra/prometheus/rules" / outputs.RULES).read_text())
    )
    asked = "\n".join(itertools.chain(*dashboard.queries(TEXT, "1m").values()))
    used = set(re.findall(r"autoheal:[a-z_0-9:]+", asked))
    assert used
    assert used <= recorded


def test_an_objective_of_one_s_own_gets_its_panel() -> None:
    data = yaml.safe_load(read.OBJECTIVES.read_text())
    data["slos"] += yaml.safe_load(OWN)
    made = json.loads(dashboard.build(Objectives.model_validate(data)))
    added = {one["title"] for one in dashboard.panels(made)} - {one["title"] for one in PANELS}
    assert added == {"checkout: 99.5 %"}


def test_runbooks_are_linked_where_they_have_an_address() -> None:
    assert MADE.get("links", []) == []
    data = yaml.safe_load(read.OBJECTIVES.read_text()) | {
        "x-runbooks": "https://example.test/runbooks/"
    }
    made = json.loads(dashboard.build(Objectives.model_validate(data)))
    assert [one["url"] for one in made["links"]] == ["https://example.test/runbooks/"]
