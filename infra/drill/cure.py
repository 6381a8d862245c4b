"""Act 1: a service is killed, and everything that has to happen happens by itself."""

from collections.abc import Callable
from typing import Any

from infra.drill.clocks import Clocks
from infra.drill.site import Site
from infra.drill.targets import Targets
from infra.drill.timeline import Timeline
from infra.drill.verdict import Broken, within

ALERT = "TcpEndpointDownFast"
SECONDS = 40.0
"""Longest wait for one link."""
NOTHING_SENT = ("action_dry_run", "action_cancelled", "action_fail", "decision_skip")
TAKEN = ("target_locked", "in_progress")
ENDS = ("action_ok", "action_fail")
STORY = ("action_eligible", "action_sent", "action_ok")
DELIVERED = "Alertmanager delivers it to the webhook"
ACTS = "the healer acts"


def cure(site: Site, clocks: Clocks, targets: Targets, timeline: Timeline) -> None:
    """Kill the victim and follow the alert until it is over.

    Raises:
        Broken: the first link that does not hold.
    """
    victim = targets.victim
    timeline.act(f"Act 1: {victim} is killed; the alert has to cure it")
    refused = site.undelivered()
    targets.services.kill(victim)
    timeline.done(f"{victim} killed")
    mine = {"service": victim}
    _must(
        lambda: site.prometheus.query(
            f'probe_success{{job="services-tcp",service="{victim}"}} == 0'
        ),
        "Prometheus sees it",
        f"no probe says that {victim} is down",
        "is the blackbox exporter up? `make status`, `make logs SERVICE=blackbox`",
    )
    timeline.seen("Prometheus sees it: the probe fails")
    _must(
        lambda: site.firing(ALERT, **mine),
        f"{ALERT} fires",
        f"the probe fails, and {ALERT} does not fire",
        "are the rules loaded? `make slo`, then Status > Rules in Prometheus",
    )
    timeline.seen(f"{ALERT} fires")
    _must(
        lambda: site.at_alertmanager(ALERT, **mine),
        "Alertmanager has it",
        "the alert fires in Prometheus and is not at Alertmanager",
        "look at Status > Runtime of Prometheus for its Alertmanagers, and at `make logs SERVICE=alertmanager`",
    )
    timeline.seen("Alertmanager has it")
    _acted(site, victim, refused, timeline)
    _must(
        lambda: targets.services.answers(victim),
        "Systems Manager restarts the service",
        f"the command was sent, and {victim} does not answer",
        "`make logs SERVICE=ssm`, `make logs SERVICE=services`",
    )
    timeline.seen(f"{victim} answers again")
    _must(
        lambda: not site.alerts(ALERT, **mine),
        "the alert is over",
        f"{victim} answers, and {ALERT} goes on",
        "does Prometheus still probe it? `make logs SERVICE=prometheus`",
    )
    timeline.seen(f"{ALERT} is over")
    _verified(site, clocks, victim, timeline)


def _must(look: Callable[[], object], link: str, what: str, remedy: str) -> None:
    if not within(SECONDS, look):
        raise Broken(link, what, remedy)


def _about(site: Site, victim: str) -> list[dict[str, Any]]:
    """Return the audit's events about `victim`, oldest first."""
    return site.audit(contains=victim)[::-1]


def _acted(site: Site, victim: str, refused: float, timeline: Timeline) -> None:
    """Await the command; where none is sent, find out why."""
    events = within(
        SECONDS, lambda: _about(site, victim) or (site.undelivered() > refused and [{}])
    )
    if not events or not events[0]:
        if site.undelivered() > refused:
            status = site.refusal()
            why = f"with {status}" if status else "or does not answer"
            remedy = (
                "Alertmanager's token must be one of AUTOHEAL_WEBHOOK_TOKENS: `make up` writes both"
            )
            if status not in ("401", "403"):
                remedy = "`make logs SERVICE=alertmanager`, `make logs SERVICE=emulator`"
            raise Broken(
                DELIVERED,
                f"the alert is delivered, and the webhook refuses it {why}",
                remedy,
            )
        what = "Alertmanager has the alert, and the audit knows nothing of it"
        raise Broken(
            DELIVERED,
            what,
            "look at its route to the receiver autoheal: `make logs SERVICE=alertmanager`",
        )
    timeline.seen("the webhook has it, and the decision is in the audit")
    decided = within(SECONDS, lambda: _decided(_about(site, victim)))
    if not decided or decided[0]["kind"] != "action_sent":
        raise _idle(site, decided)
    timeline.seen(f"the healer acts: {decided[0].get('cmd', '')}")


def _decided(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return that a command was sent, or why none will be; the victim's other alerts may find its target taken."""
    final = [one for one in _of_kinds(events, *NOTHING_SENT) if one.get("reason") not in TAKEN]
    return _of_kinds(events, "action_sent") or final


def _idle(site: Site, events: list[dict[str, Any]]) -> Broken:
    """Return why the healer does nothing, though it was told."""
    reason = str(events[0].get("reason") or events[0].get("detail") or "") if events else ""
    mode = site.ask("GET", "/autoheal/config")["mode"]
    if mode != "live":
        what = f"the alert fired and was delivered, but the healer's mode is {mode}: no action"
        return Broken(
            ACTS,
            what,
            'PUT /autoheal/config {"mode": "live"}, or run the drill without --keep-mode',
        )
    if reason == "budget_spent":
        what = "the runbook's hourly cap is reached: too many drills (or real failures) within this hour"
        return Broken(ACTS, what, "wait for the next full hour")
    what = (
        f"the alert was delivered, and no command was sent: {reason or 'the audit names no reason'}"
    )
    return Broken(ACTS, what, "docs/autoheal.md lists what each reason means")


def _verified(site: Site, clocks: Clocks, victim: str, timeline: Timeline) -> None:
    """Await that the cure is known to have worked, and that the audit tells the whole story in its order."""
    link = "the healer verifies the cure"
    ended = within(
        SECONDS,
        lambda: _of_kinds(_about(site, victim), *ENDS) or (clocks.tick.broken and [{}]),
    )
    if not ended or not ended[0]:
        problem = clocks.tick.problem
        why = (
            f"its tick does not run: {problem}"
            if problem
            else "its tick runs, and does not settle it"
        )
        what = f"the service is back, and the healer does not know: {why}"
        raise Broken(link, what, "look at the function autoheal_tick: `make logs SERVICE=emulator`")
    if ended[0]["kind"] != "action_ok":
        raise Broken(
            link, f"the action failed: {ended[0].get('detail', '')}", "`make logs SERVICE=ssm`"
        )
    told = [one["kind"] for one in _about(site, victim)]
    places = [told.index(kind) for kind in STORY if kind in told]
    if len(places) != len(STORY) or places != sorted(places):
        what = f"the audit tells {', '.join(told)}, not {', '.join(STORY)}"
        raise Broken("the audit tells the story", what, "GET /audit?contains=" + victim)
    timeline.seen(f"the cure is verified; the audit tells the story: {', '.join(told)}")


def _of_kinds(events: list[dict[str, Any]], *kinds: str) -> list[dict[str, Any]]:
    return [one for one in events if one["kind"] in kinds]
