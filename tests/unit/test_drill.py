"""Units of the drill: cases that chaos fails or not, the timeline, and the page."""

import re
import threading
import time
from html.parser import HTMLParser
from typing import Any
from uuid import UUID

import pytest

from chalicelib.autoheal import chaos
from infra.drill import healing, page
from infra.drill.clocks import MAX_FAILURES, Clock
from infra.drill.report import Budget, Firing, Report, _stretches
from infra.drill.targets import make_case
from infra.drill.timeline import Moment, Sort, Step, Timeline
from infra.drill.verdict import Broken, Verdict, within
from tests.e2e.waiting import until

HOSTILE = '<script>alert("1")</script>'


class Tags(HTMLParser):
    """Collects tags, and whether each is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def report(verdict: Verdict, **changes: Any) -> Report:
    fields: dict[str, Any] = {
        "verdict": verdict,
        "compress": 30,
        "started": 1_800_000_000.0,
        "seconds": 120.0,
        "moments": [
            Moment(1.0, Sort.ACT, "Act 1: " + HOSTILE),
            Moment(2.0, Sort.SEEN, "seen"),
        ],
        "firings": [
            Firing(HOSTILE, "actions", "pending", 3, 5),
            Firing(HOSTILE, "actions", "firing", 5, 60),
        ],
        "budgets": [Budget("actions", 99.5, 0.1, 0.02)],
        "burn": {"actions": [(1.0, 0.0), (2.0, 20.0), (3.0, float("nan")), (4.0, 5_000.0)]},
        "page_factor": 14.4,
    }
    return Report(**(fields | changes))


@pytest.mark.parametrize("fails", [True, False])
def test_chaos_fails_a_case_or_not_as_requested(fails: bool) -> None:
    for number in range(50):
        case = make_case(f"drill-{number}", "seed", 10, fails=fails)
        assert chaos.strikes("seed", UUID(case.action), 10) is fails
        assert case.since.microsecond % 1_000 == 0, "Alertmanager keeps milliseconds"
        assert case.alert(over=True)["endsAt"]


def test_a_case_that_cannot_fail_is_an_error() -> None:
    with pytest.raises(ValueError, match="fail nothing"):
        make_case("drill-0", "seed", 0, fails=True)


def test_the_page_loads_nothing_and_escapes_everything() -> None:
    text = page.page(report(Verdict.of(None)))
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    assert "svg" in tags.seen
    assert not {"script", "link", "img", "iframe"} & set(tags.seen)
    assert not re.search(r"https?://|@import|url\(", text)
    assert "every link held" in text
    assert "2.0%" in text


def test_the_page_names_the_broken_link() -> None:
    text = page.page(
        report(
            Verdict.of(Broken("the healer acts", HOSTILE, "switch it on")),
            burn={},
            firings=[],
            budgets=[],
        )
    )
    assert "The drill failed at: the healer acts" in text
    assert "switch it on" in text
    assert HOSTILE not in text


def test_the_page_begins_with_the_times_to_detect_to_act_and_to_verify() -> None:
    times = {Step.DETECT: 2.4, Step.ACT: 5.1}
    text = page.page(report(Verdict.of(None), response=times))
    top, _, rest = text.partition("<h2>")
    for words in ("Time to detect", "2.4 s", "Time to act", "5.1 s", "Time to verify", "never"):
        assert words in top
    assert rest
    assert "Time to detect" not in page.page(report(Verdict.of(None))), "act 1 was not played"


def test_the_time_of_a_step_counts_from_the_break() -> None:
    timeline = Timeline(lambda _: None)
    timeline.breaks()
    timeline.reached(Step.DETECT, time.time() + 3)
    assert timeline.response[Step.DETECT] == pytest.approx(3, abs=0.5)


def test_the_plot_says_without_colour_which_line_is_whose_and_which_alert_fires() -> None:
    burn = {"actions": [(1.0, 2.0), (2.0, 20.0)], "api_latency": [(1.0, 1.0)]}
    text = page.page(report(Verdict.of(None), burn=burn))
    assert text.count("<polyline") == 2
    for slo in burn:
        assert re.search(rf'class="name">{slo} .*?</span><svg[^>]*>.*?<polyline', text)
    heights = dict(re.findall(r'height="(\d+)" class="(\w+)"', text))
    assert set(heights.values()) == {"pending", "firing"}, "their bars differ in height"


def test_a_short_gap_does_not_split_a_firing() -> None:
    assert _stretches([1.0, 2.0, 5.0, 20.0, 21.0]) == [(1.0, 5.0), (20.0, 21.0)]


def test_the_timeline_prints_each_moment_as_it_happens() -> None:
    lines: list[str] = []
    timeline = Timeline(lines.append)
    timeline.act("Act 1: begins")
    timeline.seen("it holds")
    assert lines[0] == "\n▶ Act 1: begins"
    assert lines[1].endswith("✓ it holds")
    assert [moment.sort for moment in timeline.moments] == [Sort.ACT, Sort.SEEN]


def test_waiting_ends_at_its_deadline() -> None:
    assert within(0.01, list) == []
    assert within(5, lambda: [1]) == [1]


@pytest.mark.parametrize(
    ("events", "kind"),
    [
        ([], None),
        ([{"kind": "decision_skip", "reason": "target_locked"}], None),
        ([{"kind": "decision_skip", "reason": "disabled"}], "decision_skip"),
        (
            [{"kind": "decision_skip", "reason": "disabled"}, {"kind": "action_sent"}],
            "action_sent",
        ),
        ([{"kind": "action_dry_run", "reason": "dry_run"}], "action_dry_run"),
    ],
)
def test_a_busy_target_is_not_a_decision(events: list[dict[str, Any]], kind: str | None) -> None:
    decision = healing.decisive(events)
    assert (decision[0]["kind"] if decision else None) == kind


def test_a_clock_continues_after_failures_and_reports_them() -> None:
    fail = True
    times = 0

    def work() -> None:
        nonlocal times
        times += 1
        if fail:
            raise RuntimeError("down")

    clock = Clock(work, 0.001)
    thread = threading.Thread(target=clock.run, daemon=True)
    clock.resume()
    thread.start()
    until(lambda: clock.broken, 10)
    assert clock.failures >= MAX_FAILURES
    assert clock.problem == "RuntimeError: down"
    fail = False
    until(lambda: not clock.problem, 10)
    assert not clock.broken
    clock.stop()
    thread.join(5)
    assert not thread.is_alive()
