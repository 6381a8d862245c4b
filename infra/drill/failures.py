"""Act 2: one of ten actions fails on purpose, until the alerts about failures fire; then none, until they are over."""

import time

from infra.drill.clocks import Clocks
from infra.drill.site import Site
from infra.drill.targets import DRILL_ALERT, Case, Targets, case
from infra.drill.timeline import Timeline
from infra.drill.verdict import Broken, within

PERCENT = 10.0
CHAOS_SECONDS = 600
"""Chaos ends by itself, should the drill be killed."""
TRIPPED = ("AutohealFailureRateSLOBreach", "AutohealFailureRateBurnFast")
"""What must fire. The spike needs more failures than chaos makes; the ticket stays until its long window is clean."""
TRIP_SECONDS = 130.0
CLEAR_SECONDS = 110.0
WAVE_SECONDS = 60.0
ENDED = ("SUCCEEDED", "FAILED", "INEFFECTIVE", "TIMED_OUT", "CANCELLED", "UNKNOWN")


def failures(site: Site, clocks: Clocks, targets: Targets, timeline: Timeline, seed: str) -> None:
    """Turn chaos on until the alerts fire, and off until they are over.

    Raises:
        Broken: the first link that does not hold.
    """
    timeline.act(
        f"Act 2: {PERCENT:g} % of the actions fail on purpose; the alerts about failures have to tell"
    )
    _chaos(site, PERCENT)
    timeline.done(f"chaos at {PERCENT:g} %")
    deadline = time.monotonic() + TRIP_SECONDS
    while missing := [name for name in TRIPPED if not site.firing(name)]:
        if time.monotonic() > deadline:
            what = f"{PERCENT:g} % of the actions fail, and {', '.join(missing)} did not fire within {TRIP_SECONDS:.0f} s"
            raise Broken("the alerts about failures fire", what, _why_not(clocks))
        _wave(site, clocks, targets, timeline, seed, struck=True)
    timeline.seen(f"{' and '.join(TRIPPED)} fire")
    absent = within(10, lambda: not [name for name in TRIPPED if not site.at_alertmanager(name)])
    if not absent:
        raise Broken(
            "people are told",
            "the alerts fire and are not at Alertmanager",
            "`make logs SERVICE=alertmanager`",
        )
    timeline.seen("Alertmanager has them, for people")
    _chaos(site, 0)
    timeline.done("chaos off")
    _wave(site, clocks, targets, timeline, seed, struck=False)
    still = within(CLEAR_SECONDS, lambda: not [name for name in TRIPPED if site.alerts(name)])
    if not still:
        going = ", ".join(name for name in TRIPPED if site.alerts(name))
        raise Broken(
            "the alerts recover",
            f"nothing fails any more, and {going} goes on",
            _why_not(clocks),
        )
    timeline.seen("both are over")


def _chaos(site: Site, percent: float) -> None:
    site.ask("PUT", "/autoheal/config", {"chaos": {"percent": percent, "seconds": CHAOS_SECONDS}})


def _why_not(clocks: Clocks) -> str:
    if clocks.push.problem:
        return f"metrics are not pushed: {clocks.push.problem}"
    return "compare autoheal:burn_fast{slo='actions'} in Prometheus with the factor in docs/slo.md"


def _wave(
    site: Site,
    clocks: Clocks,
    targets: Targets,
    timeline: Timeline,
    seed: str,
    *,
    struck: bool,
) -> None:
    """Let every patient of the ward be down, and await that each is healed, or left because chaos struck."""
    began = time.monotonic()
    for name in targets.ward:
        targets.services.kill(name)
    cases = [
        case(name, seed, PERCENT, struck=struck and name == targets.ward[0])
        for name in targets.ward
    ]
    site.tell_alertmanager(*(one.alert() for one in cases))
    waiting = {one.action: one for one in cases}
    over = set[str]()
    failed = 0
    deadline = began + WAVE_SECONDS
    while waiting:
        if time.monotonic() > deadline:
            site.tell_alertmanager(*(one.alert(over=True) for one in cases))
            raise _stuck(site, clocks, list(waiting.values()))
        back = [
            one for one in cases if one.target not in over and targets.services.answers(one.target)
        ]
        if back:
            site.tell_alertmanager(*(one.alert(over=True) for one in back))
            over |= {one.target for one in back}
        listed = site.ask("GET", "/autoheal/actions?limit=100")["items"]
        for action in [one for one in listed if one["id"] in waiting and one["state"] in ENDED]:
            done = waiting.pop(action["id"])
            failed += action["state"] != "SUCCEEDED"
            if (action["state"] == "SUCCEEDED") is done.struck:
                raise Broken(
                    "chaos strikes whom it should",
                    f"{done.target}: {action['detail']}",
                    "GET /autoheal/actions",
                )
    site.tell_alertmanager(*(one.alert(over=True) for one in cases if one.struck))
    on_purpose = ", on purpose" if failed else ""
    timeline.done(
        f"{len(cases)} actions, {failed} failed{on_purpose} ({time.monotonic() - began:.0f} s)"
    )


def _stuck(site: Site, clocks: Clocks, waiting: list[Case]) -> Broken:
    names = ", ".join(one.target for one in waiting)
    told = site.audit(contains=waiting[0].target)
    reason = next(
        (one.get("reason") for one in told if one.get("reason")),
        "the audit names no reason",
    )
    tick = f"; the tick fails: {clocks.tick.problem}" if clocks.tick.problem else ""
    what = f"{DRILL_ALERT} of {names} came to no end within {WAVE_SECONDS:.0f} s: {reason}{tick}"
    return Broken("the healer acts", what, "GET /audit?alertname=" + DRILL_ALERT)
