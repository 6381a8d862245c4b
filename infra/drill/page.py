"""The report as one self-contained HTML page: plot, budgets, timeline."""

from datetime import UTC, datetime
from html import escape
from pathlib import Path

from infra.drill import plot
from infra.drill.report import Budget, Report
from infra.drill.timeline import Moment, Step

STYLE = Path(__file__).with_suffix(".css")
HOUR = 3_600
STEPS = {
    Step.DETECT: "until the alert fires",
    Step.ACT: "until the healer sends the command",
    Step.VERIFY: "until the healer has verified the remedy",
}


def page(report: Report) -> str:
    """Return the page."""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>AetherLink drill</title>
<style>
{STYLE.read_text()}</style>
</head>
<body>
<h1>AetherLink drill</h1>
<p class="soft">{_conditions(report)}</p>
{_verdict(report)}
{_response(report)}
<h2>Burn rates and alerts</h2>
{plot.plot(report)}
<p class="soft">{plot.legend(report)}</p>
<h2>What it cost</h2>
{_budgets(report)}
<h2>Timeline</h2>
{_table("".join(_moment(moment) for moment in report.moments))}
</body>
</html>
"""


def _conditions(report: Report) -> str:
    when = datetime.fromtimestamp(report.started, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    rules = f"the shipped rules, {report.compress} times as fast"
    return f"{when}, {report.seconds:.0f} s; {rules}"


def _verdict(report: Report) -> str:
    verdict = report.verdict
    if verdict.passed:
        return '<p class="verdict"><b>The drill passed: every link held.</b></p>'
    link = escape(verdict.link)
    what = escape(verdict.what)
    remedy = escape(verdict.remedy)
    text = f"<b>The drill failed at: {link}</b><br>{what}<br><b>Remedy:</b> {remedy}"
    return f'<p class="verdict bad">{text}</p>'


def _response(report: Report) -> str:
    """Return how fast the system responded to the break of act 1; nothing without this act."""
    if not report.response:
        return ""
    cells = "".join(
        f'<div><dt>Time to {step}</dt><dd class="number">{_seconds(report, step)}</dd>'
        f"<dd><small>{until}</small></dd></div>"
        for step, until in STEPS.items()
    )
    note = (
        "From the moment at which act 1 kills a service. The rules' waiting times are"
        f" {report.compress} times shorter than in production; the healer works at its usual pace."
    )
    return f'<dl class="response">{cells}</dl><p class="soft">{note}</p>'


def _seconds(report: Report, step: Step) -> str:
    return f"{report.response[step]:.1f} s" if step in report.response else "never"


def _budgets(report: Report) -> str:
    hours = report.seconds * report.compress / HOUR
    note = (
        f"What was bad in these {report.seconds:.0f} seconds, which are {hours:.1f} hours to"
        " the rules, and how much of 30 days' budget so many hours like these cost."
    )
    heads = "".join(
        f'<th class="number">{head}</th>' for head in ("promised", "bad", "of the budget")
    )
    rows = "".join(_budget(budget) for budget in report.budgets)
    return f'<p class="soft">{note}</p>{_table(f"<tr><th>objective</th>{heads}</tr>{rows}")}'


def _budget(budget: Budget) -> str:
    cells = (f"{budget.objective:g} %", f"{budget.errors:.2%}", f"{budget.spent:.1%}")
    numbers = "".join(f'<td class="number">{cell}</td>' for cell in cells)
    return f"<tr><td>{escape(budget.slo)}</td>{numbers}</tr>"


def _moment(moment: Moment) -> str:
    cells = f'<td class="number">{moment.seconds:.1f} s</td><td>{escape(moment.text)}</td>'
    return f'<tr class="{moment.sort}">{cells}</tr>'


def _table(rows: str) -> str:
    return f"<table>{rows}</table>"
