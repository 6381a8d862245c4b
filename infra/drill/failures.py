"""Act 2: 10 % of the actions fail on purpose until the failure alerts fire, then none do."""

import time

from infra.drill.clocks import Clocks
from infra.drill.site import Site
from infra.drill.targets import DRILL_ALERT, Case, Targets, make_case
from infra.drill.timeline import Timeline
from infra.drill.verdict import Broken, within

PERCENT = 10.0
CHAOS_SECONDS = 600
"""Chaos ends by itself, in case the drill is killed."""
EXPECTED = ("AutohealFailureRateSLOBreach", "AutohealFailureRateBurnFast")
"""The alerts that must fire. The spike needs more failures; the ticket outlasts the drill."""
FIRE_SECONDS = 240.0
NOTIFY_SECONDS = 60.0
RECOVER_SECONDS = 240.0
WAVE_SECONDS = 120.0
END_STATES = ("SUCCEEDED", "FAILED", "INEFFECTIVE", "TIMED_OUT", "CANCELLED", "UNKNOWN")


def failures(site: Site, clocks: Clocks, targets: Targets, timeline: Timeline, seed: str) -> None:
    """Turn chaos on until the alerts fire, and off until they are over.

    Raises:
        Broken: the first link that does not hold.
    """
    timeline.act(f"Act 2: {PERCENT:g} % of the actions fail on purpose; alerts have to fire")
    _set_chaos(site, PERCENT)
    timeline.done(f"chaos at {PERCENT:g} %")
    deadline = time.monotonic() + FIRE_SECONDS
    while missing := [name for name in EXPECTED if not site.firing(name)]:
        if time.monotonic() > deadline:
            names = ", ".join(missing)
            what = f"{PERCENT:g} % of the actions fail, but after {FIRE_SECONDS:.0f} s {names} "
            raise Broken("the failure alerts fire", f"{what}did not fire", _remedy(clocks))
        _Wave(site, clocks, targets, timeline).run(seed, failing=True)
    timeline.seen(f"{' and '.join(EXPECTED)} fire")
    if not within(NOTIFY_SECONDS, lambda: all(map(site.at_alertmanager, EXPECTED))):
        raise Broken(
            "people are notified",
            "the alerts fire but have not reached Alertmanager",
            "`make logs SERVICE=alertmanager`",
        )
    timeline.seen("Alertmanager has them, for people")
    _set_chaos(site, 0)
    timeline.done("chaos off")
    _Wave(site, clocks, targets, timeline).run(seed, failing=False)
    if not within(RECOVER_SECONDS, lambda: not any(map(site.alerts, EXPECTED))):
        active = ", ".join(name for name in EXPECTED if site.alerts(name))
        what = f"no action fails any more, but still active: {active}"
        raise Broken("the alerts recover", what, _remedy(clocks))
    timeline.seen("both are over")


def _set_chaos(site: Site, percent: float) -> None:
    site.ask("PUT", "/autoheal/config", {"chaos": {"percent": percent, "seconds": CHAOS_SECONDS}})


def _remedy(clocks: Clocks) -> str:
    if clocks.push.problem:
        return f"metrics are not pushed: {clocks.push.problem}"
    return "compare autoheal:burn_fast{slo='actions'} in Prometheus with the factor in docs/slo.md"


class _Wave:
    """All targets of the act go down at once; it is over when each action has ended."""

    def __init__(self, site: Site, clocks: Clocks, targets: Targets, timeline: Timeline) -> None:
        self._site = site
        self._clocks = clocks
        self._targets = targets
        self._timeline = timeline
        self._cases: list[Case] = []
        self._waiting: dict[str, Case] = {}
        self._resolved = set[str]()
        self._failed = 0

    def run(self, seed: str, *, failing: bool) -> None:
        """Kill the targets and wait for their actions; with `failing` the first one's fails."""
        began = time.monotonic()
        self._start(seed, failing=failing)
        while self._waiting:
            if time.monotonic() > began + WAVE_SECONDS:
                self._site.send_alerts(*(case.alert(over=True) for case in self._cases))
                raise self._unfinished()
            self._resolve_recovered()
            self._collect_ended()
        self._site.send_alerts(*(case.alert(over=True) for case in self._cases if case.fails))
        on_purpose = ", on purpose" if self._failed else ""
        took = time.monotonic() - began
        self._timeline.done(
            f"{len(self._cases)} actions, {self._failed} failed{on_purpose} ({took:.0f} s)"
        )

    def _start(self, seed: str, *, failing: bool) -> None:
        names = self._targets.many
        for name in names:
            self._targets.services.kill(name)
        self._cases = [
            make_case(name, seed, PERCENT, fails=failing and name == names[0]) for name in names
        ]
        self._site.send_alerts(*(case.alert() for case in self._cases))
        self._waiting = {case.action: case for case in self._cases}

    def _resolve_recovered(self) -> None:
        """End the alerts of the services that answer again."""
        answers = self._targets.services.answers
        recovered = [
            case
            for case in self._cases
            if case.target not in self._resolved and answers(case.target)
        ]
        if recovered:
            self._site.send_alerts(*(case.alert(over=True) for case in recovered))
            self._resolved |= {case.target for case in recovered}

    def _collect_ended(self) -> None:
        """Take the actions that have ended off the list; each must end as chaos decides."""
        actions = self._site.ask("GET", "/autoheal/actions?limit=100")["items"]
        for action in actions:
            if action["id"] not in self._waiting or action["state"] not in END_STATES:
                continue
            ended = self._waiting.pop(action["id"])
            succeeded = action["state"] == "SUCCEEDED"
            self._failed += not succeeded
            if succeeded is ended.fails:
                raise Broken(
                    "chaos fails exactly the chosen actions",
                    f"{ended.target}: {action['state']}, {action['detail']}",
                    "GET /autoheal/actions",
                )

    def _unfinished(self) -> Broken:
        waiting = list(self._waiting.values())
        names = ", ".join(case.target for case in waiting)
        events = self._site.audit(contains=waiting[0].target)
        reasons = (str(event["reason"]) for event in events if event.get("reason"))
        cause = next(reasons, "the audit gives no reason")
        if self._clocks.tick.problem:
            cause += f"; the tick fails: {self._clocks.tick.problem}"
        return Broken(
            "the healer acts",
            f"{DRILL_ALERT} of {names} is unfinished after {WAVE_SECONDS:.0f} s: {cause}",
            f"GET /audit?alertname={DRILL_ALERT}",
        )
