"""Act 3: the healer falls silent; its alerts have to fire, and to be over when it is back."""

from infra.drill.clocks import Clocks
from infra.drill.site import Site
from infra.drill.timeline import Timeline
from infra.drill.verdict import Broken, within

EXPECTED = ("AutohealHeartbeatSLOBreach", "AutohealServiceDown")
FIRE_SECONDS = 120.0
"""The real schedules still run each minute, and so delay the alerts."""
RECOVER_SECONDS = 120.0


def silence(site: Site, clocks: Clocks, timeline: Timeline) -> None:
    """Stop ticks and pushes until the alerts fire, and resume them until the alerts are over.

    Raises:
        Broken: an alert does not fire, or does not recover.
    """
    timeline.act("Act 3: the healer falls silent; alerts have to fire")
    fired: set[str] = set()

    def all_fired() -> bool:
        fired.update(name for name in EXPECTED if site.firing(name))
        return fired == set(EXPECTED)

    clocks.tick.pause()
    clocks.push.pause()
    timeline.done("ticks and pushes stop")
    try:
        if not within(FIRE_SECONDS, all_fired):
            missing = ", ".join(sorted(set(EXPECTED) - fired))
            raise Broken(
                "the silence alerts fire",
                f"nothing is recorded or pushed, but {missing} did not fire",
                "compare autoheal:heartbeat:age_seconds with its rule",
            )
        timeline.seen(f"{' and '.join(EXPECTED)} fire")
    finally:
        clocks.tick.resume()
        clocks.push.resume()
    timeline.done("ticks and pushes resume")
    if not within(RECOVER_SECONDS, lambda: not any(map(site.alerts, EXPECTED))):
        active = ", ".join(name for name in EXPECTED if site.alerts(name))
        cause = clocks.tick.problem or clocks.push.problem or "both functions run"
        what = f"the healer is back, but still active: {active} ({cause})"
        raise Broken("the alerts recover", what, "`make status`")
    timeline.seen("both are over")
