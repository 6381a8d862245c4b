"""Every file that is made from the objectives, by its path."""

from pathlib import Path
from typing import Final

from infra.slo import dashboard, page, rules, scenarios, text
from infra.slo.alerts import Alerts
from infra.slo.durations import Scale
from infra.slo.objectives import Objectives

ROOT: Final = Path(__file__).resolve().parents[2]
SOURCE: Final = "infra/slo"
RULES: Final = "autoheal.rules.yml"
DASHBOARD: Final = "aetherlink.json"


def rules_text(objectives: Objectives, alerts: Alerts, scale: Scale) -> str:
    """Return the rules as Prometheus reads them."""
    return text.dump(
        {"groups": rules.build(objectives, alerts, scale)},
        f"{SOURCE}/objectives.yml and alerts.yml",
    )


def committed(objectives: Objectives, alerts: Alerts) -> dict[str, str]:
    """Return what is committed, by its path from the repository's root: rules, their tests, dashboard, page."""
    found = {f"infra/prometheus/rules/{RULES}": rules_text(objectives, alerts, Scale())}
    about = f"{SOURCE}/scenarios"
    found |= {
        f"infra/prometheus/tests/{one.name}.yml": text.dump(one.test(), about)
        for one in scenarios.SUITES
    }
    found[f"infra/grafana/dashboards/{DASHBOARD}"] = dashboard.build(objectives)
    if (ROOT / page.PATH).exists():
        found[page.PATH] = page.updated((ROOT / page.PATH).read_text(), objectives, alerts)
    return found


def drill(objectives: Objectives, alerts: Alerts, scale: Scale) -> dict[str, str]:
    """Return what another Prometheus loads, by its path in a folder of its own."""
    return {
        f"rules/{RULES}": rules_text(objectives, alerts, scale),
        f"dashboards/{DASHBOARD}": dashboard.build(objectives),
    }


def write(found: dict[str, str], where: Path, *, check: bool = False) -> list[str]:
    """Write what is not there yet as it should be, or with `check` nothing; return the paths that differed."""
    stale = []
    for name, wanted in found.items():
        path = where / name
        if path.exists() and path.read_text() == wanted:
            continue
        stale.append(name)
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted)
    return stale
