"""Act 1: a service is killed, and the healer has to bring it back without help."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from infra.drill.clocks import Clocks
from infra.drill.site import Site
from infra.drill.targets import Targets
from infra.drill.timeline import Step, Timeline
from infra.drill.verdict import Broken, within

ALERT = "TcpEndpointDownFast"
LINK_SECONDS = 90.0
"""The longest wait for one link. Each wait ends with its event; only a broken link costs this."""
NOTHING_SENT = ("action_dry_run", "action_cancelled", "action_fail", "decision_skip")
TARGET_BUSY = ("target_locked", "in_progress")
END_KINDS = ("action_ok", "action_fail")
ACTION_KINDS = ("action_eligible", "action_sent", "action_ok")
DELIVERY = "Alertmanager delivers it to the webhook"
ACTION = "the healer acts"
VERIFICATION = "the healer verifies the remedy"
AUDIT = "the audit records each step"


def heal_a_killed_service(site: Site, clocks: Clocks, targets: Targets, timeline: Timeline) -> None:
    """Kill the main target and follow its alert until it is over.

    Raises:
        Broken: the first link that does not hold.
    """
    target = targets.main
    timeline.act(f"Act 1: {target} is killed; the alert has to bring it back")
    failed_deliveries = site.failed_deliveries()
    timeline.breaks()
    targets.services.kill(target)
    timeline.done(f"{target} killed")
    _await_alert(site, target, timeline)
    _await_delivery(site, target, failed_deliveries, timeline)
    _await_command(site, target, timeline)
    _await_recovery(site, targets, timeline)
    _await_verification(site, clocks, target, timeline)


def _await_alert(site: Site, target: str, timeline: Timeline) -> None:
    """Wait until the alert reaches Alertmanager."""
    probe = f'probe_success{{job="services-tcp",service="{target}"}} == 0'
    _require(
        lambda: site.prometheus.query(probe),
        "Prometheus sees it",
        f"no probe reports that {target} is down",
        "is the blackbox exporter up? `make status`, `make logs SERVICE=blackbox`",
    )
    timeline.seen("Prometheus sees it: the probe fails")
    _require(
        lambda: site.firing(ALERT, service=target),
        f"{ALERT} fires",
        f"the probe fails, but {ALERT} does not fire",
        "are the rules loaded? `make slo`, then Status > Rules in Prometheus",
    )
    timeline.seen(f"{ALERT} fires")
    _require(
        lambda: site.at_alertmanager(ALERT, service=target),
        "Alertmanager has it",
        "the alert fires in Prometheus but has not reached Alertmanager",
        "Status > Runtime in Prometheus lists its Alertmanagers; `make logs SERVICE=alertmanager`",
    )
    timeline.seen("Alertmanager has it")
    for alert in site.at_alertmanager(ALERT, service=target):
        timeline.reached(Step.DETECT, datetime.fromisoformat(alert["startsAt"]).timestamp())


def _await_delivery(site: Site, target: str, failed_before: float, timeline: Timeline) -> None:
    """Wait until the audit mentions the target; otherwise find out where the alert was lost."""

    def refused() -> bool:
        return site.failed_deliveries() > failed_before

    within(LINK_SECONDS, lambda: bool(_events(site, target)) or refused())
    if _events(site, target):
        timeline.seen("the webhook has it, and the decision is in the audit")
        return
    if not refused():
        raise Broken(
            DELIVERY,
            "Alertmanager has the alert, but the audit has no event about it",
            "check its route to the receiver autoheal: `make logs SERVICE=alertmanager`",
        )
    status = site.refusal_status()
    if status in ("401", "403"):
        remedy = "Alertmanager's token must be in AUTOHEAL_WEBHOOK_TOKENS: `make up` writes both"
    else:
        remedy = "`make logs SERVICE=alertmanager`, `make logs SERVICE=emulator`"
    reason = f"is refused with {status}" if status else "gets no answer from the webhook"
    raise Broken(DELIVERY, f"the alert is sent, but {reason}", remedy)


def _await_command(site: Site, target: str, timeline: Timeline) -> None:
    """Wait until the healer has sent a command; otherwise find out why it did not."""
    events = within(LINK_SECONDS, lambda: decisive(_events(site, target)))
    if not events or events[0]["kind"] != "action_sent":
        raise _no_command(site, events)
    timeline.reached(Step.ACT, events[0]["ts"])
    timeline.seen(f"the healer acts: {events[0].get('cmd', '')}")


def decisive(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the events that a command was sent, or else those that say why none will be.

    A skip because the target is busy is not decisive: it is about the target's other alerts.
    """
    final = [
        event
        for event in _of_kinds(events, *NOTHING_SENT)
        if event.get("reason") not in TARGET_BUSY
    ]
    return _of_kinds(events, "action_sent") or final


def _no_command(site: Site, events: list[dict[str, Any]]) -> Broken:
    """Return why the healer sent no command, although it received the alert."""
    reason = str(events[0].get("reason") or events[0].get("detail") or "") if events else ""
    mode = site.ask("GET", "/autoheal/config")["mode"]
    if mode != "live":
        return Broken(
            ACTION,
            f"the alert fired and was delivered, but the healer's mode is {mode}: no action",
            'PUT /autoheal/config {"mode": "live"}, or run the drill without --keep-mode',
        )
    if reason == "budget_spent":
        return Broken(
            ACTION,
            "the runbook's hourly cap is reached: too many drills or real failures this hour",
            "wait for the next full hour",
        )
    cause = reason or "the audit gives no reason"
    return Broken(
        ACTION,
        f"the alert was delivered, but no command was sent: {cause}",
        "docs/autoheal.md lists what each reason means",
    )


def _await_recovery(site: Site, targets: Targets, timeline: Timeline) -> None:
    """Wait until the service answers and its alert is over."""
    target = targets.main
    _require(
        lambda: targets.services.answers(target),
        "Systems Manager restarts the service",
        f"the command was sent, but {target} does not answer",
        "`make logs SERVICE=ssm`, `make logs SERVICE=services`",
    )
    timeline.seen(f"{target} answers again")
    _require(
        lambda: not site.alerts(ALERT, service=target),
        "the alert is over",
        f"{target} answers, but {ALERT} is still active",
        "does Prometheus still probe it? `make logs SERVICE=prometheus`",
    )
    timeline.seen(f"{ALERT} is over")


def _await_verification(site: Site, clocks: Clocks, target: str, timeline: Timeline) -> None:
    """Wait until the healer has verified its action, and check the audit's order of events."""

    def ends() -> list[dict[str, Any]]:
        return _of_kinds(_events(site, target), *END_KINDS)

    within(LINK_SECONDS, lambda: bool(ends()) or clocks.tick.broken)
    events = ends()
    if not events:
        cause = "its tick runs, but does not settle the action"
        if clocks.tick.problem:
            cause = f"its tick does not run: {clocks.tick.problem}"
        raise Broken(
            VERIFICATION,
            f"the service is back, but the healer has not noticed: {cause}",
            "look at the function autoheal_tick: `make logs SERVICE=emulator`",
        )
    if events[0]["kind"] != "action_ok":
        detail = events[0].get("detail", "")
        raise Broken(VERIFICATION, f"the action failed: {detail}", "`make logs SERVICE=ssm`")
    kinds = [event["kind"] for event in _events(site, target)]
    steps = [kinds.index(kind) for kind in ACTION_KINDS if kind in kinds]
    if len(steps) != len(ACTION_KINDS) or steps != sorted(steps):
        raise Broken(
            AUDIT,
            f"the audit has {', '.join(kinds)}, not {', '.join(ACTION_KINDS)} in this order",
            f"GET /audit?contains={target}",
        )
    timeline.reached(Step.VERIFY, events[0]["ts"])
    timeline.seen(f"the remedy is verified; the audit has each step: {', '.join(kinds)}")


def _require(look: Callable[[], object], link: str, what: str, remedy: str) -> None:
    if not within(LINK_SECONDS, look):
        raise Broken(link, what, remedy)


def _events(site: Site, target: str) -> list[dict[str, Any]]:
    """Return the audit's events about `target`, oldest first."""
    return site.audit(contains=target)[::-1]


def _of_kinds(events: list[dict[str, Any]], *kinds: str) -> list[dict[str, Any]]:
    return [event for event in events if event["kind"] in kinds]
