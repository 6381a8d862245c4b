"""The report's plot: a lane for each objective's burn rate, then one for each alert.

Each lane has its name beside it, or above it on a narrow screen, so nothing depends on colour: a
pending alert is a thin outline, a firing one a thick bar. Lanes are stretched to the width there
is, and their texts are not part of them, so these keep their size.
"""

import math
from collections.abc import Iterable
from html import escape

from infra.drill.report import Firing, Report
from infra.drill.timeline import Sort

WIDTH = 1_000
"""Of a lane, in its own units; it is stretched."""
BURN_HEIGHT = 44
ALERT_HEIGHT = 18
LOWEST = 0.1
HIGHEST = 1_000.0
EDGE = 90.0
"""Marks further right than this, in percent, end at their place instead of beginning there."""
MIN_BAR = 2.0
MAX_TIMES = 5
"""More texts below the lanes would overlap on a narrow screen."""


def plot(report: Report) -> str:
    """Return the plot of `report`."""
    alerts = list(dict.fromkeys((firing.alert, firing.about) for firing in report.firings))
    parts = [
        '<div class="plot">',
        _axis("acts", _acts(report)),
        *(_burn(report, slo) for slo in report.burn),
        *(_alert(report, alert) for alert in alerts),
        _axis("times", _times(report)),
        "</div>",
    ]
    return "\n".join(parts)


def legend(report: Report) -> str:
    """Return how to read the plot."""
    factor = f"{report.page_factor:g}"
    return (
        f"Each line is a burn rate, from {LOWEST:g} to {HIGHEST:g} times what the budget allows,"
        f" on a logarithmic scale; a page is sent above the dashed line, {factor} times."
        ' Alerts: <span class="key pending"></span> pending,'
        ' <span class="key firing"></span> firing.'
    )


def _share(report: Report, seconds: float) -> float:
    return max(0.0, min(1.0, seconds / max(report.seconds, 1.0)))


def _x(report: Report, seconds: float) -> float:
    return WIDTH * _share(report, seconds)


def _y(value: float) -> float:
    share = math.log(max(LOWEST, min(HIGHEST, value)) / LOWEST) / math.log(HIGHEST / LOWEST)
    return 1 + (BURN_HEIGHT - 2) * (1 - share)


def _axis(sort: str, marks: Iterable[tuple[float, str]]) -> str:
    texts = "".join(
        f'<span class="{"late" if share * 100 > EDGE else "mark"}" style="left:{share:.1%}">'
        f"{escape(text)}</span>"
        for share, text in marks
    )
    return (
        f'<div class="lane {sort}"><span class="name"></span><div class="axis">{texts}</div></div>'
    )


def _acts(report: Report) -> Iterable[tuple[float, str]]:
    for moment in report.moments:
        name, colon, _ = moment.text.partition(":")
        if moment.sort is Sort.ACT and colon:
            yield _share(report, moment.seconds), name


def _times(report: Report) -> Iterable[tuple[float, str]]:
    every = next((step for step in (30, 60) if report.seconds <= MAX_TIMES * step), 120)
    for seconds in range(0, int(report.seconds) + 1, every):
        yield _share(report, seconds), f"{seconds} s"


def _lane(report: Report, name: str, label: str, height: int, drawing: str) -> str:
    acts = "".join(
        _line(WIDTH * share, 0, WIDTH * share, height, "act") for share, _ in _acts(report)
    )
    return (
        f'<div class="lane"><span class="name">{name}</span>'
        f'<svg viewBox="0 0 {WIDTH} {height}" preserveAspectRatio="none" role="img"'
        f' style="height:{height}px" aria-label="{escape(label)}">{acts}{drawing}</svg></div>'
    )


def _line(x1: float, y1: float, x2: float, y2: float, sort: str) -> str:
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {ends} class="{sort}"/>'


def _burn(report: Report, slo: str) -> str:
    points = [(at, value) for at, value in report.burn[slo] if not math.isnan(value)]
    peak = max((value for _, value in points), default=0.0)
    allowed = _y(report.page_factor)
    drawn = " ".join(f"{_x(report, at):.1f},{_y(value):.1f}" for at, value in points)
    lines = _line(0, allowed, WIDTH, allowed, "page") + f'<polyline points="{drawn}"/>'
    return _lane(
        report,
        f"{escape(slo)} <small>peak {_times_allowed(peak)}</small>",
        f"Burn rate of {slo}: at most {_times_allowed(peak)} what the budget allows",
        BURN_HEIGHT,
        lines,
    )


def _times_allowed(value: float) -> str:
    return f"{value:.0f}×" if value >= 10 else f"{value:.1f}×"


def _alert(report: Report, alert: tuple[str, str]) -> str:
    name, about = alert
    firings = [firing for firing in report.firings if (firing.alert, firing.about) == alert]
    return _lane(
        report,
        f"{escape(name)} <small>{escape(about)}</small>",
        "; ".join(_words(firing) for firing in firings),
        ALERT_HEIGHT,
        "".join(_bar(report, firing) for firing in firings),
    )


def _words(firing: Firing) -> str:
    return f"{firing.alert} {firing.state} from {firing.begin:.0f} s to {firing.end:.0f} s"


def _bar(report: Report, firing: Firing) -> str:
    left = _x(report, firing.begin)
    width = max(MIN_BAR, _x(report, firing.end) - left)
    top, height = (3, ALERT_HEIGHT - 6) if firing.state == "firing" else (6, ALERT_HEIGHT - 12)
    box = f'x="{left:.1f}" y="{top}" width="{width:.1f}" height="{height}"'
    title = escape(_words(firing))
    return f'<rect {box} class="{escape(firing.state)}"><title>{title}</title></rect>'
