"""The report's plot, as SVG: burn rates, and below them when alerts were pending and firing."""

import math
from collections.abc import Iterable
from html import escape
from typing import Final

from infra.drill.report import Firing, Report
from infra.drill.timeline import Sort

WIDTH = 1_040
LEFT = 330
RIGHT = 24
TOP = 28
BURN_HEIGHT = 170
LANE = 20
AXIS = 24
LOWEST = 0.1
HIGHEST = 1_000.0
MAX_NAME_LENGTH = 50
COLOURS: Final = (
    "#0b6bcb",
    "#c2410c",
    "#15803d",
    "#7c3aed",
    "#be185d",
    "#0f766e",
    "#854d0e",
    "#475569",
)


def plot(report: Report) -> str:
    """Return the plot of `report`."""
    lanes = list(dict.fromkeys((firing.alert, firing.about) for firing in report.firings))
    height = TOP + BURN_HEIGHT + AXIS + LANE * len(lanes) + AXIS
    label = "Burn rates and alerts over the time of the drill"
    parts = [f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{label}">']
    parts += [
        *_times(report, height),
        *_acts(report, height),
        *_scale(report),
        *_burns(report),
    ]
    for number, lane in enumerate(lanes):
        parts += _lane(report, lane, TOP + BURN_HEIGHT + AXIS + LANE * number)
    return "\n".join([*parts, "</svg>"])


def legend(report: Report) -> str:
    """Return what the plot's colours mean."""
    pairs = zip(COLOURS, report.burn, strict=False)
    lines = [
        f'<span><i style="background:{colour}"></i>{escape(slo)}</span>' for colour, slo in pairs
    ]
    for name, colour in (("pending", "wait"), ("firing", "bad")):
        lines.append(f'<span><i class="box" style="background:var(--{colour})"></i>{name}</span>')
    return "".join(lines)


def _x(report: Report, seconds: float) -> float:
    share = max(0.0, min(1.0, seconds / max(report.seconds, 1.0)))
    return LEFT + (WIDTH - LEFT - RIGHT) * share


def _y(value: float) -> float:
    share = math.log(max(LOWEST, min(HIGHEST, value)) / LOWEST) / math.log(HIGHEST / LOWEST)
    return TOP + BURN_HEIGHT * (1 - share)


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, dashes: str = "") -> str:
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {ends} stroke="var(--{colour})"{dashed}/>'


def _text(x: float, y: float, text: str, anchor: str = "start", title: str = "") -> str:
    more = f"<title>{escape(title)}</title>" if title else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{more}{escape(text)}</text>'


def _times(report: Report, height: int) -> Iterable[str]:
    every = 30 if report.seconds <= 240 else 60
    for seconds in range(0, int(report.seconds) + 1, every):
        at = _x(report, seconds)
        yield _line(at, TOP, at, height - AXIS, "line")
        yield _text(at, height - 6, f"{seconds} s", "middle")


def _acts(report: Report, height: int) -> Iterable[str]:
    for moment in report.moments:
        name, colon, _ = moment.text.partition(":")
        if moment.sort is Sort.ACT and colon:
            at = _x(report, moment.seconds)
            yield _line(at, TOP - 8, at, height - AXIS, "ink", "3 3")
            yield _text(at + 4, TOP - 12, name)


def _scale(report: Report) -> Iterable[str]:
    for value in (LOWEST, 1, 10, 100, HIGHEST):
        yield _line(LEFT, _y(value), WIDTH - RIGHT, _y(value), "line")
        yield _text(LEFT - 6, _y(value) + 4, f"{value:g}x", "end")
    at = _y(report.page_factor)
    yield _line(LEFT, at, WIDTH - RIGHT, at, "bad", "6 4")
    yield _text(LEFT - 44, at + 4, f"pages above {report.page_factor:g}x", "end")


def _burns(report: Report) -> Iterable[str]:
    for colour, points in zip(COLOURS, report.burn.values(), strict=False):
        drawn = " ".join(
            f"{_x(report, at):.1f},{_y(value):.1f}" for at, value in points if not math.isnan(value)
        )
        yield f'<polyline points="{drawn}" fill="none" stroke="{colour}" stroke-width="1.6"/>'


def _lane(report: Report, lane: tuple[str, str], at: float) -> Iterable[str]:
    alert, about = lane
    name = f"{alert} ({about})" if about else alert
    shown = name if len(name) <= MAX_NAME_LENGTH else f"{name[: MAX_NAME_LENGTH - 1]}…"
    yield _text(LEFT - 6, at + 13, shown, "end", name)
    for firing in report.firings:
        if (firing.alert, firing.about) == lane:
            yield _bar(report, firing, at)


def _bar(report: Report, firing: Firing, at: float) -> str:
    left = _x(report, firing.begin)
    right = _x(report, firing.end)
    fill = "bad" if firing.state == "firing" else "wait"
    title = escape(f"{firing.alert} {firing.state} from {firing.begin:.0f} s to {firing.end:.0f} s")
    width = max(2.0, right - left)
    box = f'x="{left:.1f}" y="{at + 3}" width="{width:.1f}" height="{LANE - 7}" rx="2"'
    return f'<rect {box} fill="var(--{fill})"><title>{title}</title></rect>'
