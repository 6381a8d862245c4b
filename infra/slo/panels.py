"""Panels of the dashboard as data, and how Grafana's SDK builds them."""

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
    """An expression and the legend of its series, in which {{label}} is filled in."""

    expr: str
    legend: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel; `unit` is Grafana's, `steps` are the values from which a colour applies."""

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
    builder = _number(panel) if panel.number else _curves(panel)
    builder = (
        builder.id(identity)
        .title(panel.title)
        .description(panel.description)
        .datasource(DATASOURCE)
        .unit(panel.unit)
    )
    builder = builder.span(panel.span).height(4 if panel.number else 8)
    steps = [models.Threshold(value=value, color=colour) for value, colour in panel.steps]
    builder = builder.thresholds(
        dashboards.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps)
    )
    if panel.lowest is not None:
        builder = builder.min(panel.lowest)
    if panel.highest is not None:
        builder = builder.max(panel.highest)
    if panel.decimals is not None:
        builder = builder.decimals(panel.decimals)
    for number, query in enumerate(panel.queries):
        target = (
            prometheus.Dataquery()
            .expr(query.expr)
            .legend_format(query.legend)
            .ref_id(chr(ord("A") + number))
        )
        builder = builder.with_target(target.datasource(DATASOURCE))
    return builder


def _number(panel: Panel) -> stat.Panel:
    last = common_builders.ReduceDataOptions().calcs(["lastNotNull"])
    builder = stat.Panel().reduce_options(last).graph_mode(common.BigValueGraphMode.AREA)
    coloured = len(panel.steps) > 1
    mode = common.BigValueColorMode.VALUE if coloured else common.BigValueColorMode.NONE
    return builder.color_mode(mode)


def _curves(panel: Panel) -> timeseries.Panel:
    legend = common_builders.VizLegendOptions().display_mode(common.LegendDisplayMode.LIST)
    legend = legend.placement(common.LegendPlacement.BOTTOM).show_legend(True)
    tooltip = common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI)
    builder = timeseries.Panel().legend(legend).tooltip(tooltip.sort(common.SortOrder.DESCENDING))
    builder = builder.line_width(1).fill_opacity(8).show_points(common.VisibilityMode.NEVER)
    if len(panel.steps) > 1:
        dashed = common_builders.GraphThresholdsStyleConfig().mode(
            common.GraphThresholdsStyleMode.DASHED
        )
        builder = builder.thresholds_style(dashed)
    return builder
