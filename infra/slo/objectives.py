"""Objectives and windows as data: what cannot work is refused, with what to change."""

import re
from decimal import Decimal
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from infra.slo import durations

WINDOW: Final = re.compile(r"\{\{\s*\.window\s*\}\}")


def _duration(text: str) -> str:
    durations.seconds(text)
    return text


def _windowed(query: str) -> str:
    if not WINDOW.search(query):
        raise ValueError("has no {{.window}}: write [{{.window}}] where the range belongs")
    return query


Duration = Annotated[str, AfterValidator(_duration)]
Windowed = Annotated[str, AfterValidator(_windowed)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
AlertName = Annotated[str, Field(pattern=r"^[A-Z][A-Za-z0-9]{2,79}$")]


class Strict(BaseModel):
    """Data of ours: nothing unknown in it, and it does not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Events(Strict):
    """An indicator from counters: events per second that were bad, and all."""

    error_query: Windowed
    total_query: Windowed


class Raw(Strict):
    """An indicator that is an error ratio already, 0 to 1, over a window."""

    error_ratio_query: Windowed


class Slices(Strict):
    """An indicator of time: how bad a moment is, 0 to 1; a gap is bad if `seen` was there."""

    bad_query: str
    seen: str


class Sli(Strict):
    """How an objective is measured: one of three ways."""

    events: Events | None = None
    raw: Raw | None = None
    slices: Slices | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(way is not None for way in (self.events, self.raw, self.slices)) != 1:
            raise ValueError("needs exactly one of events, raw, slices")
        return self


class BurnAlert(Strict):
    """The alert about a burning budget, and whether it is disabled."""

    name: AlertName
    disable: bool = False


class Page(BurnAlert):
    """The alert that pages."""

    name: AlertName = "AutohealErrorBudgetBurnFast"


class Ticket(BurnAlert):
    """The alert that opens a ticket."""

    name: AlertName = "AutohealErrorBudgetBurnSlow"


class Alerting(Strict):
    """The two alerts of an objective."""

    page_alert: Page = Page()
    ticket_alert: Ticket = Ticket()


class Slo(Strict):
    """One objective, in percent."""

    name: Name
    objective: float = Field(gt=0, lt=100)
    description: str = ""
    sli: Sli
    alerting: Alerting = Alerting()

    @property
    def ratio(self) -> Decimal:
        """Return the objective as a ratio, exactly: 0.999 for 99.9."""
        return Decimal(str(self.objective)) / 100

    @property
    def budget(self) -> Decimal:
        """Return the error budget as a ratio."""
        return 1 - self.ratio


class Window(Strict):
    """A pair of windows, and the burn factors above which both alert: page or ticket."""

    long: Duration
    short: Duration
    page: float | None = Field(default=None, gt=0)
    ticket: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if durations.seconds(self.short) >= durations.seconds(self.long):
            raise ValueError(
                f"short ({self.short}) has to be shorter than long ({self.long}): swap them"
            )
        return self


class Objectives(Strict):
    """The whole of objectives.yml."""

    version: Literal["prometheus/v1"]
    service: str
    period: Duration = Field(alias="x-period")
    slice: Duration = Field(alias="x-slice")
    seen: Duration = Field(alias="x-seen")
    min_bad: float = Field(alias="x-min-bad", ge=0)
    runbooks: str = Field(alias="x-runbooks")
    dashboard: str = Field(default="", alias="x-dashboard")
    windows: dict[Name, Window] = Field(alias="x-windows", min_length=1)
    slos: tuple[Slo, ...]

    @property
    def ranges(self) -> list[str]:
        """Return every window that an alert looks at, shortest first."""
        lengths = {length for pair in self.windows.values() for length in (pair.short, pair.long)}
        return sorted(lengths, key=durations.seconds)

    def share(self, pair: Window, factor: float) -> float:
        """Return the percentage of the period's budget spent in `pair.long` at `factor`."""
        return 100 * factor * durations.seconds(pair.long) / durations.seconds(self.period)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if not self.slos:
            raise ValueError("there is no objective: add one below `slos`")
        names = [slo.name for slo in self.slos]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two objectives are named {', '.join(twice)}: rename one")
        period = durations.seconds(self.period)
        for name, pair in self.windows.items():
            if durations.seconds(pair.long) >= period:
                raise ValueError(
                    f"x-windows.{name}: {pair.long} is not shorter than x-period ({self.period})"
                )
        for slo in self.slos:
            for name, pair in self.windows.items():
                self._reachable(slo, name, pair)
        return self

    def _reachable(self, slo: Slo, name: str, pair: Window) -> None:
        """Refuse a factor above what total failure reaches: 1 / (1 - objective)."""
        fastest = 1 / slo.budget
        for kind, factor, alert in (
            ("page", pair.page, slo.alerting.page_alert),
            ("ticket", pair.ticket, slo.alerting.ticket_alert),
        ):
            if factor is None or alert.disable or Decimal(str(factor)) < fastest:
                continue
            needed = 100 * (1 - 1 / Decimal(str(factor)))
            raise ValueError(
                f"{slo.name}: its budget burns {float(fastest):.4g} times too fast at most, so "
                f"that the {kind} factor {factor:g} of x-windows.{name} is never exceeded: set the "
                f"objective above {needed:.4g}, lower the factor, or set "
                f"alerting.{kind}_alert.disable: true"
            )
