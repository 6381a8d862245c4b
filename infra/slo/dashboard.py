"""The Grafana dashboard: objectives, burn rates, alerts, healer, outbox and API."""

import json
import re
from collections.abc import Iterable
from typing import Any, Final

from grafana_foundation_sdk.builders import dashboard as dashboards
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models

from infra.slo.objectives import Objectives, Slo
from infra.slo.panels import BOTTOM, GREEN, RED, WIDTH, YELLOW, Panel, Query, Row, built
from infra.slo.rules import REMAINING, error_ratio

UID: Final = "aetherlink"
PER_ROW: Final = 8
RATE: Final = "$__rate_interval"
HEALER = '{job="autoheal"}'
API = '{job="crm"}'
VARIABLE: Final = re.compile(r"\$__?[a-z_]+|\$\{[a-z]+\}")


def build(objectives: Objectives) -> str:
    """Return the dashboard as JSON, with a panel for each objective."""
    builder = (
        dashboards.Dashboard("AetherLink")
        .uid(UID)
        .description(
            "What is promised, how fast its budgets burn, "
            "and what the healer, the outbox and the API do."
        )
        .tags(["aetherlink", "slo"])
        .timezone("browser")
        .refresh("30s")
        .time("now-6h", "now")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .with_variable(
            dashboards.DatasourceVariable("datasource").label("Data source").type("prometheus")
        )
    )
    if objectives.runbooks.startswith("http"):
        builder = builder.link(
            dashboards.DashboardLink("Runbooks")
            .type(models.DashboardLinkType.LINK)
            .url(objectives.runbooks)
        )
    identity = 0
    for row in rows(objectives):
        identity += 1
        builder = builder.with_row(dashboards.Row(row.title).id(identity))
        for panel in row.panels:
            identity += 1
            builder = builder.with_panel(built(panel, identity))
    encoded = JSONEncoder(sort_keys=True).encode(builder.build())
    return json.dumps(json.loads(encoded), indent=2) + "\n"


def queries(dashboard: str, interval: str) -> dict[str, list[str]]:
    """Return the queries of `dashboard`, JSON, by panel title, with rates over `interval`."""
    expressions: dict[str, list[str]] = {}
    for panel in panels(json.loads(dashboard)):
        expressions[panel["title"]] = [
            VARIABLE.sub(interval, target["expr"]) for target in panel["targets"]
        ]
    return expressions


def panels(dashboard: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """Yield the panels that have queries, those in collapsed rows too."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel.get("panels") or []
        else:
            yield panel


def rows(objectives: Objectives) -> list[Row]:
    """Return what the dashboard shows."""
    span = max(WIDTH // PER_ROW, WIDTH // len(objectives.slos))
    return [
        Row("Objectives", [_objective(slo, span) for slo in objectives.slos]),
        Row("Budgets and alerts", _budgets(objectives)),
        Row("Healer", _healer()),
        Row("Outbox", _outbox()),
        Row("API", _api()),
    ]


def _objective(slo: Slo, span: int) -> Panel:
    kept = f'1 - {error_ratio("1h")}{{slo="{slo.name}"}}'
    promised = float(slo.ratio)
    steps = [(BOTTOM, RED), (1 - 2 * float(slo.budget), YELLOW), (promised, GREEN)]
    title = f"{slo.name}: {slo.objective:g} %"
    about = f"{slo.description} The share of the last hour for which that held."
    return Panel(
        title, about, "percentunit", [Query(kept, slo.name)], span, steps, True, None, 1, 2
    )


def _budgets(objectives: Objectives) -> list[Panel]:
    shown: list[Panel] = []
    for name, pair in objectives.windows.items():
        factor = pair.page or pair.ticket
        windows = f"over {pair.long} and over {pair.short}"
        text = f"Times faster than allowed, {windows}: the smaller of both."
        what = f"{'Pages' if pair.page else 'Opens a ticket'} above {factor:g}."
        steps = [(BOTTOM, GREEN), (float(factor or 0), RED)]
        burn = Query(f"autoheal:burn_{name}", "{{slo}}")
        shown.append(Panel(f"Burn rate, {name}", f"{text} {what}", "none", [burn], 8, steps))
    left = Query(REMAINING, "{{slo}}")
    steps = [(BOTTOM, RED), (0.0, YELLOW), (0.25, GREEN)]
    about = f"What is left of {objectives.period}' error budget; below 0 it is overspent."
    shown.append(Panel("Budget remaining", about, "percentunit", [left], 12, steps, False, None, 1))
    none = 'label_replace(vector(0), "alertname", "none", "", "")'
    firing = f'sum by (alertname) (ALERTS{{alertstate="firing"}}) or {none}'
    about = "Alerts that fire now. docs/runbooks says for each what to do."
    shown.append(Panel("Firing alerts", about, "none", [Query(firing, "{{alertname}}")], 12))
    return shown


def _quantiles(histogram: str, labels: str) -> list[Query]:
    rate = f"sum by (le) (rate({histogram}_bucket{labels}[{RATE}]))"
    return [
        Query(f"histogram_quantile({quantile:g}, {rate})", f"p{round(quantile * 100)}")
        for quantile in (0.5, 0.95, 0.99)
    ]


def _healer() -> list[Panel]:
    return [*_actions(), *_signs_of_life(), *_switches()]


def _actions() -> list[Panel]:
    actions = f"sum by (result) (increase(autoheal_actions_total{HEALER}[{RATE}]))"
    failed = f"sum by (alertname) (increase(autoheal_action_failures_total{HEALER}[{RATE}]))"
    slow = [(BOTTOM, GREEN), (0.2, RED)]
    return [
        Panel(
            "Actions by result",
            "What became of the healer's actions.",
            "short",
            [Query(actions, "{{result}}")],
        ),
        Panel(
            "Failures by alert",
            "Actions that failed, on purpose or not.",
            "short",
            [Query(failed, "{{alertname}}")],
        ),
        Panel(
            "Audit writes",
            "How long they take; 95 % should take no more than 200 ms.",
            "s",
            _quantiles("autoheal_audit_write_seconds", HEALER),
            8,
            slow,
        ),
    ]


def _signs_of_life() -> list[Panel]:
    events = f"sum by (kind) (rate(autoheal_event_total{HEALER}[{RATE}])) * 60"
    late = [(BOTTOM, GREEN), (300.0, RED)]
    ages = [
        Query("autoheal:heartbeat:age_seconds", "heartbeat"),
        Query("autoheal:push:age_seconds", "push of the healer"),
        Query("autoheal:crm_push:age_seconds", "push of the API"),
    ]
    return [
        Panel(
            "Heartbeat and pushes",
            "Seconds since each was last seen; 300 is too long.",
            "s",
            ages,
            8,
            late,
        ),
        Panel(
            "Events per minute",
            "What is recorded in the audit, by kind.",
            "short",
            [Query(events, "{{kind}}")],
        ),
    ]


def _switches() -> list[Panel]:
    cooldown = f"max by (alertname) (autoheal_cooldown_remaining_seconds{HEALER})"
    enabled = f"max by (env) (autoheal_enabled{HEALER})"
    return [
        Panel(
            "Cooldowns",
            "Seconds until an alert's targets may be healed again.",
            "s",
            [Query(cooldown, "{{alertname}}")],
            4,
        ),
        Panel(
            "Enabled",
            "1 while the healer heals, or would but for its dry run.",
            "none",
            [Query(enabled, "{{env}}")],
            4,
            [(BOTTOM, RED), (1.0, GREEN)],
            True,
            0,
            1,
        ),
    ]


def _outbox() -> list[Panel]:
    age = [(BOTTOM, GREEN), (60.0, YELLOW), (300.0, RED)]
    parked = [(BOTTOM, GREEN), (1.0, RED)]
    flow = [
        Query(f"sum(rate(outbox_{outcome}_total{API}[{RATE}])) or vector(0)", outcome)
        for outcome in ("published", "failed", "parked")
    ]
    return [
        Panel(
            "Pending events",
            "Events that wait to be published.",
            "short",
            [Query(f"max(outbox_pending{API})", "pending")],
        ),
        Panel(
            "Oldest pending event",
            "How long the oldest event waits; 60 seconds are promised.",
            "s",
            [Query("autoheal:outbox:age_seconds", "age")],
            8,
            age,
        ),
        Panel("Events per second", "What the relay does.", "ops", flow, 4),
        Panel(
            "Parked streams",
            "Streams that wait for an operator.",
            "none",
            [Query(f"max(outbox_parked_streams{API})", "parked")],
            4,
            parked,
            True,
        ),
    ]


def _api() -> list[Panel]:
    rate = f"sum by (code) (rate(crm_http_requests_total{API}[{RATE}]))"
    routes = f"topk(10, sum by (method, route) (rate(crm_http_requests_total{API}[{RATE}])))"
    selected = '{job="crm",code=~"5.."}'
    wrong = f"(sum(rate(crm_http_requests_total{selected}[{RATE}])) or vector(0))"
    share = f"{wrong} / (sum(rate(crm_http_requests_total{API}[{RATE}])) > 0)"
    latency = _quantiles("crm_http_request_duration_seconds", API)
    return [
        Panel(
            "Requests by status",
            "Requests per second.",
            "reqps",
            [Query(rate, "{{code}}")],
            6,
        ),
        Panel(
            "Errors",
            "The share of requests that failed on our side; 0.5 % are allowed.",
            "percentunit",
            [Query(share, "5xx")],
            6,
            [(BOTTOM, GREEN), (0.005, RED)],
        ),
        Panel(
            "Latency",
            "95 % should be answered within 500 ms.",
            "s",
            latency,
            6,
            [(BOTTOM, GREEN), (0.5, RED)],
        ),
        Panel(
            "Busiest routes",
            "Requests per second of the ten busiest.",
            "reqps",
            [Query(routes, "{{method}} {{route}}")],
            6,
        ),
    ]
