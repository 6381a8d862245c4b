"""Every file that is generated from the objectives, by its path."""

from pathlib import Path
from typing import Final

from infra.paths import ROOT
from infra.slo import dashboard, page, rules, text
from infra.slo.alerts import Alerts
from infra.slo.durations import Scale
from infra.slo.objectives import Objectives

SOURCE: Final = "infra/slo/objectives.yml and alerts.yml"
RULES: Final = "autoheal.rules.yml"
DASHBOARD: Final = "aetherlink.json"


def rules_text(objectives: Objectives, alerts: Alerts, scale: Scale) -> str:
    """Return the rules as Prometheus reads them."""
    return text.dump({"groups": rules.build(objectives, alerts, scale)}, SOURCE)


def committed(objectives: Objectives, alerts: Alerts) -> dict[str, str]:
    """Return the committed files by path: rules, dashboard, page."""
    files = {
        f"infra/prometheus/rules/{RULES}": rules_text(objectives, alerts, Scale()),
        f"infra/grafana/dashboards/{DASHBOARD}": dashboard.build(objectives),
    }
    if (ROOT / page.PATH).exists():
        files[page.PATH] = page.updated((ROOT / page.PATH).read_text(), objectives, alerts)
    return files


def drill(objectives: Objectives, alerts: Alerts, scale: Scale) -> dict[str, str]:
    """Return the files of a drill's Prometheus, by their path in a folder of its own."""
    return {
        f"rules/{RULES}": rules_text(objectives, alerts, scale),
        f"dashboards/{DASHBOARD}": dashboard.build(objectives),
    }


def write(files: dict[str, str], folder: Path, *, check: bool = False) -> list[str]:
    """Write the files that differ, or nothing with `check`; return their paths."""
    stale = []
    for name, content in files.items():
        path = folder / name
        if path.exists() and path.read_text() == content:
            continue
        stale.append(name)
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
    return stale
