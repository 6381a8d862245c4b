"""What a panel of the dashboard asks and how it shows it, and building it with Grafana's SDK."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as dashboards
from grafana_foundation_sdk.builders import prometheus, stat, timeseries
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as models

DATASOURCE: Final = common.DataSourceRef(type_val="prometheus", uid="${datasource}")
WIDTH: Final = 24
GREEN = "green"
YELLOW = "yellow"
RED = "red"
BOTTOM: Final = -1.0
"""The start of the first colour. Grafana writes null, which the schema does not accept."""


@dataclass(frozen=True, slots=True)
class Query:
    """An expression, and how its series are called: {{label}} is filled in."""

    expr: str
    legend: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. `unit` is Grafana's; `steps` are the values from which a colour applies."""

    title: str
    description: str
    unit: str
    queries: Sequence[Query]
    span: int = 8
    steps: Sequence[tuple[float, str]] = ((BOTTOM, GREEN),)
    number: bool = False
    """Show the last value in large, not a curve."""
    lowest: float | None = 0
    highest: float | None = None
    decimals: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """Panels that belong together."""

    title: str
    panels: Sequence[Panel]


def built(panel: Panel, identity: int) -> stat.Panel | timeseries.Panel:
    """Return `panel` as the SDK builds it."""
    made = _number(panel) if panel.number else _curves(panel)
    made = (
        made.id(identity)
        .title(panel.title)
        .description(panel.description)
        .datasource(DATASOURCE)
        .unit(panel.unit)
    )
    made = made.span(panel.span).height(4 if panel.number else 8)
    steps = [models.Threshold(value=value, color=colour) for value, colour in panel.steps]
    made = made.thresholds(
        dashboards.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps)
    )
    if panel.lowest is not None:
        made = made.min(panel.lowest)
    if panel.highest is not None:
        made = made.max(panel.highest)
    if panel.decimals is not None:
        made = made.decimals(panel.decimals)
    for number, query in enumerate(panel.queries):
        asked = (
            prometheus.Dataquery()
            .expr(query.expr)
            .legend_format(query.legend)
            .ref_id(chr(ord("A") + number))
        )
        made = made.with_target(asked.datasource(DATASOURCE))
    return made


def _number(panel: Panel) -> stat.Panel:
    last = common_builders.ReduceDataOptions().calcs(["lastNotNull"])
    made = stat.Panel().reduce_options(last).graph_mode(common.BigValueGraphMode.AREA)
    mode = common.BigValueColorMode.VALUE if len(panel.steps) > 1 else common.BigValueColorMode.NONE
    return made.color_mode(mode)


def _curves(panel: Panel) -> timeseries.Panel:
    legend = common_builders.VizLegendOptions().display_mode(common.LegendDisplayMode.LIST)
    legend = legend.placement(common.LegendPlacement.BOTTOM).show_legend(True)
    tooltip = common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI)
    made = timeseries.Panel().legend(legend).tooltip(tooltip.sort(common.SortOrder.DESCENDING))
    made = made.line_width(1).fill_opacity(8).show_points(common.VisibilityMode.NEVER)
    if len(panel.steps) > 1:
        dashed = common_builders.GraphThresholdsStyleConfig().mode(
            common.GraphThresholdsStyleMode.DASHED
        )
        made = made.thresholds_style(dashed)
    return made
