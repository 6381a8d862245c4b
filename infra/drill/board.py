"""The dashboard: each of its panels has to have data."""

import math

from infra.drill.site import Site
from infra.drill.timeline import Timeline
from infra.drill.verdict import Broken
from infra.paths import ROOT
from infra.slo import dashboard, outputs

INTERVAL = "20s"
"""Over which rates are taken, in the drill's time."""
COMMITTED = ROOT / "infra" / "grafana" / "dashboards" / outputs.DASHBOARD


def check_dashboard(site: Site, timeline: Timeline) -> None:
    """Run the queries of each panel of the committed dashboard over the time of the drill.

    Raises:
        Broken: a panel is empty.
    """
    asked = dashboard.queries(COMMITTED.read_text(), INTERVAL)
    pairs = [(title, query) for title, queries in asked.items() for query in queries]
    empty = [f"{title}: {query}" for title, query in pairs if not _has_data(site, timeline, query)]
    if empty:
        raise Broken(
            "the dashboard shows it",
            f"{len(empty)} queries are empty, {empty[0]}",
            "ask Prometheus for it",
        )
    timeline.seen(f"all {len(asked)} panels of the dashboard have data ({len(pairs)} queries)")


def _has_data(site: Site, timeline: Timeline, query: str) -> bool:
    """Return whether the query had a number at any time of the drill."""
    result = site.over(query, timeline.started, timeline.started + timeline.seconds())
    return any(not math.isnan(float(value)) for series in result for _, value in series["values"])
