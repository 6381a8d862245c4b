"""Alerts on symptoms as data: alerts.yml."""

from typing import Literal

from pydantic import Field

from infra.slo.objectives import AlertName, Duration, Strict


class Record(Strict):
    """A name for an expression."""

    record: str
    expr: str


class Alert(Strict):
    """One alert on a symptom. `group` is slow (every slice of time) or fast (as often as probes are made)."""

    alert: AlertName
    expr: str
    hold: Duration | None = Field(default=None, alias="for")
    group: Literal["alerts", "fast"] = "alerts"
    severity: Literal["critical", "warning", "info"]
    slo: str = ""
    service: str = ""
    heal: bool = False
    labels: dict[str, str] = Field(default_factory=dict)
    summary: str
    description: str
    runbook: str


class Alerts(Strict):
    """The whole of alerts.yml."""

    records: tuple[Record, ...] = ()
    alerts: tuple[Alert, ...] = ()
