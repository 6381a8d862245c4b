"""A whole drill: prepare the stack, play the acts, and restore everything as it was."""

import fcntl
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests

from chalicelib.config import Settings
from infra.drill.board import check_dashboard
from infra.drill.clocks import running
from infra.drill.failures import failures
from infra.drill.healing import heal_a_killed_service
from infra.drill.report import Report, gather
from infra.drill.silence import silence
from infra.drill.site import Site
from infra.drill.targets import Targets, demo_targets
from infra.drill.timeline import Sort, Timeline
from infra.drill.verdict import Broken, Verdict, within
from infra.drill.watch import watching
from infra.local.errors import ServiceFailed
from infra.local.prometheus import Prometheus, ScrapeTargets
from infra.local.stack import Stack
from infra.paths import CACHE
from infra.slo import outputs, read
from infra.slo.durations import Scale

COMPRESS = 30
"""A minute of the rules lasts two seconds: quick, and long enough for a busy machine."""
ACTS = (1, 2, 3)
FOLDER = "drill"
LIVE = "live"
MINUTE = "1m"
SCRAPE = "1m"
READY_SECONDS = 90.0
NEEDED = (
    "emulator",
    "issuer",
    "services",
    "ssm",
    "alertmanager",
    "pushgateway",
    "blackbox",
    "prometheus",
)
WATCHED = (
    "count(probe_success) > 0",
    'push_time_seconds{job="autoheal"}',
    'push_time_seconds{job="crm"}',
    'autoheal:burn_fast{slo="actions"}',
)


@dataclass(frozen=True, slots=True)
class Plan:
    """A drill's options. `acts` are 1 to 3; `keep_mode` leaves the healer's mode as it is."""

    compress: int = COMPRESS
    acts: tuple[int, ...] = ACTS
    keep_mode: bool = False


class AnotherDrill(Exception):
    """Another drill is running on this stack."""


def run(stack: Stack, api: str, plan: Plan, say: Callable[[str], None]) -> Report:
    """Drill the stack, which is up; return what happened.

    The stack is as before afterwards, also after Ctrl-C.

    Raises:
        AnotherDrill: another drill is running.
        ServiceFailed: a service that the drill needs does not run.
    """
    home = stack.home / FOLDER
    timeline = Timeline(say)
    problem = None
    with ExitStack() as after:
        after.enter_context(_alone(home))
        services = stack.status()["parts"]
        absent = [name for name in NEEDED if not services.get(name, {}).get("running")]
        if absent:
            raise ServiceFailed(
                absent[0], "the drill needs it, and it does not run", remedy="`make up`"
            )
        timeline.act(f"The shipped rules, {plan.compress} times as fast")
        watched = stack.healing.scrape_targets(api)
        targets = after.enter_context(demo_targets(stack))
        prometheus = after.enter_context(_compressed(stack, watched, plan, targets, home))
        site = Site(stack, api, prometheus)
        after.enter_context(_as_before(site, timeline, home / "before.json"))
        try:
            _play(site, targets, plan, timeline)
        except Broken as broken:
            problem = broken
        except requests.RequestException as failure:
            address = failure.request.url if failure.request else ""
            what = f"{address}: {type(failure).__name__}"
            problem = Broken("the services answer", what, "`make status`")
        if problem:
            timeline.add(Sort.BROKEN, f"{problem.link}: {problem.what}")
        return gather(site, timeline, Verdict.of(problem), plan.compress)


def _play(site: Site, targets: Targets, plan: Plan, timeline: Timeline) -> None:
    every = float(Scale(plan.compress).seconds(MINUTE))
    if not plan.keep_mode:
        site.ask("PUT", "/autoheal/config", {"mode": LIVE, "chaos": {"percent": 0}})
        timeline.done("the healer is live")
    with running(site, every) as clocks, watching(site, timeline):
        missing: list[str] = []

        def watched() -> bool:
            missing[:] = [query for query in WATCHED if not site.prometheus.query(query)]
            return not missing

        if not within(READY_SECONDS, watched):
            why = (
                clocks.push.problem
                or "`make logs SERVICE=prometheus`, `make logs SERVICE=pushgateway`"
            )
            raise Broken("Prometheus watches", f"there is no data for {missing[0]}", why)
        timeline.seen("Prometheus watches: probes, pushes and rules have data")
        if 1 in plan.acts:
            heal_a_killed_service(site, clocks, targets, timeline)
        if 2 in plan.acts:
            failures(site, clocks, targets, timeline, Settings().autoheal.chaos_seed)
        if 3 in plan.acts:
            silence(site, clocks, timeline)
        if len(plan.acts) == len(ACTS):
            check_dashboard(site, timeline)


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AnotherDrill("another drill is running on this stack: wait for its end") from None
        yield


@contextmanager
def _compressed(
    stack: Stack, watched: ScrapeTargets, plan: Plan, targets: Targets, home: Path
) -> Iterator[Prometheus]:
    """Run a Prometheus with compressed rules and no past instead of the usual one.

    It is the same service with other samples, so `make up` and `make down` manage it too,
    should this process be killed.
    """
    samples = home / "samples"
    shutil.rmtree(samples, ignore_errors=True)
    scale = Scale(plan.compress)
    outputs.write(outputs.drill(read.objectives(), read.alerts(), scale), home)
    usual = stack.healing.prometheus
    services = {**watched.services, targets.main: targets.address(targets.main)}
    own = Prometheus(usual.home, usual.port, CACHE, samples)
    usual.stop()
    try:
        own.start(
            replace(watched, services=services),
            home / "rules" / "*.yml",
            scale.interval(SCRAPE),
        )
        yield own
    finally:
        own.stop()
        usual.start(watched)


@contextmanager
def _as_before(site: Site, timeline: Timeline, file: Path) -> Iterator[None]:
    """Restore the healer's mode and chaos after the block.

    `file` keeps them, so that after a killed drill the next one restores the mode.
    """
    before = site.ask("GET", "/autoheal/config")
    if file.exists() and before["mode"] == LIVE:
        before = json.loads(file.read_text())
    file.write_text(json.dumps(before))
    try:
        yield
    finally:
        try:
            site.ask(
                "PUT",
                "/autoheal/config",
                {"mode": before["mode"], "chaos": _remaining(before["chaos"])},
            )
            timeline.done(f"the healer's mode is {before['mode']} again")
            file.unlink()
        except Broken as problem:
            timeline.add(
                Sort.BROKEN,
                f"the healer's mode could not be set to {before['mode']} again: {problem.what}",
            )


def _remaining(chaos: dict[str, Any]) -> dict[str, Any]:
    """Return chaos as it was, for the rest of its time."""
    if not chaos["until"]:
        return {"percent": chaos["percent"]}
    remaining = datetime.fromisoformat(chaos["until"]) - datetime.now(UTC)
    return {"percent": chaos["percent"], "seconds": max(1, int(remaining.total_seconds()))}
