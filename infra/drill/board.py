"""The dashboard: each of its panels has to have something to show."""

import math

from infra.drill.site import Site
from infra.drill.timeline import Timeline
from infra.drill.verdict import Broken
from infra.paths import ROOT
from infra.slo import dashboard, outputs

INTERVAL = "20s"
"""Over which rates are taken, in the drill's time."""
COMMITTED = ROOT / "infra" / "grafana" / "dashboards" / outputs.DASHBOARD


def shown(site: Site, timeline: Timeline) -> None:
    """Ask what each panel of the committed dashboard asks, over the time of the drill.

    Raises:
        Broken: a panel is empty.
    """
    asked = dashboard.queries(COMMITTED.read_text(), INTERVAL)
    pairs = [(title, one) for title, queries in asked.items() for one in queries]
    empty = [f"{title}: {one}" for title, one in pairs if not _has_data(site, timeline, one)]
    if empty:
        raise Broken(
            "the dashboard shows it",
            f"{len(empty)} queries are empty, {empty[0]}",
            "ask Prometheus for it",
        )
    timeline.seen(f"all {len(asked)} panels of the dashboard have data ({len(pairs)} queries)")


def _has_data(site: Site, timeline: Timeline, query: str) -> bool:
    """Tell whether there was a number at any time of the drill, as a panel shows a stretch of time."""
    found = site.over(query, timeline.started, timeline.started + timeline.seconds())
    return any(not math.isnan(float(value)) for series in found for _, value in series["values"])
