"""Alerts on symptoms as data: alerts.yml."""

from typing import Literal, Self

from pydantic import Field, model_validator

from infra.slo.objectives import AlertName, Duration, Strict


class Record(Strict):
    """A name for an expression."""

    record: str
    expr: str


class Alert(Strict):
    """One alert on a symptom.

    `group` is slow (evaluated for every slice of time) or fast (as often as the probes).
    With `heal` Alertmanager sends it to the healer.
    """

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

    @model_validator(mode="after")
    def _healer_does_not_heal_itself(self) -> Self:
        if self.heal and self.alert.startswith("Autoheal"):
            raise ValueError(
                f"{self.alert}: alerts about the healer go to people: remove `heal`, or rename it"
            )
        return self


class Alerts(Strict):
    """The whole of alerts.yml."""

    records: tuple[Record, ...] = ()
    alerts: tuple[Alert, ...] = ()
