"""Act 3: the healer falls silent; the alerts about it have to tell, and to be over when it is back."""

from infra.drill.clocks import Clocks
from infra.drill.site import Site
from infra.drill.timeline import Timeline
from infra.drill.verdict import Broken, within

TRIPPED = ("AutohealHeartbeatSLOBreach", "AutohealServiceDown")
TRIP_SECONDS = 45.0
CLEAR_SECONDS = 45.0
"""The real schedules go on each minute, which is long in a drill's time."""


def silence(site: Site, clocks: Clocks, timeline: Timeline) -> None:
    """Stop ticks and pushes until the alerts fire, and let them go on until the alerts are over.

    Raises:
        Broken: an alert does not fire, or does not recover.
    """
    timeline.act("Act 3: the healer falls silent; the alerts about it have to tell")
    fired: set[str] = set()

    def all_fired() -> bool:
        fired.update(name for name in TRIPPED if site.firing(name))
        return fired == set(TRIPPED)

    clocks.tick.pause()
    clocks.push.pause()
    timeline.done("ticks and pushes stop")
    try:
        if not within(TRIP_SECONDS, all_fired):
            missing = ", ".join(sorted(set(TRIPPED) - fired))
            what = f"nothing is recorded or pushed, and {missing} did not fire"
            raise Broken(
                "the alerts about silence fire",
                what,
                "compare autoheal:heartbeat:age_seconds with its rule",
            )
        timeline.seen(f"{' and '.join(TRIPPED)} fire")
    finally:
        clocks.tick.resume()
        clocks.push.resume()
    timeline.done("ticks and pushes go on")
    if not within(CLEAR_SECONDS, lambda: not [name for name in TRIPPED if site.alerts(name)]):
        going = ", ".join(name for name in TRIPPED if site.alerts(name))
        problem = clocks.tick.problem or clocks.push.problem or "both functions run"
        raise Broken(
            "the alerts recover",
            f"the healer is back, and {going} goes on: {problem}",
            "`make status`",
        )
    timeline.seen("both are over")
