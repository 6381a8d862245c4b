"""Checks of the API: its health, its dependencies, sign-in, the audit and the console."""

import csv
import io
from typing import Any

from infra.readiness.check import NotHere, Wrong, check
from infra.readiness.target import Target

HOME = {"status", "enabled", "dry_run", "chaos", "otel", "oidc", "actions"}
EVENTS = "50"


@check(
    "health",
    "the API answers and reports that it is healthy",
    "look at the API function's log; is it deployed?",
)
def _health(target: Target) -> str:
    answer = target.ask("/")
    if not answer.ok:
        raise Wrong(f"GET / answers {answer.status_code}")
    status = answer.json()
    missing = sorted(HOME - set(status))
    if missing or status["status"] != "ok":
        raise Wrong(
            f"GET / says {status.get('status')!r} and lacks {', '.join(missing) or 'nothing'}"
        )
    if not status["actions"]:
        raise Wrong("there are no runbooks: the healer is not set up")
    return f"answers, heals {len(status['actions'])} kinds of alerts"


@check(
    "dependencies",
    "the API reaches what it needs",
    "repair what /health/ready reports as not ok",
)
def _ready(target: Target) -> str:
    answer = target.ask("/health/ready")
    status = answer.json()
    if not answer.ok:
        down = [
            name
            for name, dependency in status.get("dependencies", {}).items()
            if dependency["status"] != "ok"
        ]
        names = ", ".join(down) or "no dependency is named"
        raise Wrong(f"GET /health/ready answers {answer.status_code}: {names}")
    return ", ".join(
        f"{name} {dependency['latencyMs']:g} ms"
        for name, dependency in status["dependencies"].items()
    )


@check(
    "sign-in",
    "only signed tokens are accepted",
    "set OIDC_ENABLED=true and OIDC_ISSUER, deploy",
)
def _sign_in(target: Target) -> str:
    if not target.ask("/").json()["oidc"]["enabled"]:
        raise Wrong("OIDC is off: the API trusts the identity in a request's headers")
    stranger = Target(**{**vars(target), "token": "invalid"})
    status = stranger.ask("/audit", n="1").status_code
    if status != 401:
        raise Wrong(f"GET /audit answers {status} to an invalid token")
    return "OIDC is on, an invalid token is refused"


def _events(target: Target) -> list[dict[str, Any]]:
    """Return the newest events of the audit."""
    answer = target.ask("/audit", n=EVENTS)
    if not answer.ok:
        raise Wrong(f"GET /audit answers {answer.status_code}: {answer.text[:200]}")
    events = answer.json()["events"]
    if not events:
        raise NotHere("the audit is empty: nothing happened yet")
    return list(events)


@check("audit-filters", "the audit can be searched", "look at the API function's log for audit")
def _filters(target: Target) -> str:
    every = _events(target)
    kind = str(every[0]["kind"])
    some = target.ask("/audit", n=EVENTS, kind=kind).json()["events"]
    others = sorted({str(event["kind"]) for event in some} - {kind})
    if others or not some:
        raise Wrong(f"asked for {kind}, the audit answers {', '.join(others) or 'nothing'}")
    return f"{len(some)} events of {kind}, and no others"


@check(
    "audit-csv",
    "the audit can be exported as CSV",
    "look at the API function's log for audit",
)
def _csv(target: Target) -> str:
    until = str(_events(target)[0]["ts"])
    events = target.ask("/audit", n=EVENTS, until=until).json()["events"]
    answer = target.ask("/audit", n=EVENTS, until=until, format="csv")
    if not answer.ok or "text/csv" not in answer.headers.get("Content-Type", ""):
        raise Wrong(
            f"format=csv answers {answer.status_code} as {answer.headers.get('Content-Type')}"
        )
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    if [row["kind"] for row in rows] != [str(event["kind"]) for event in events]:
        raise Wrong(f"{len(rows)} rows of CSV differ from {len(events)} events of JSON")
    return f"{len(rows)} rows, as in JSON"


@check("console", "the console answers", "deploy the console")
def _console(target: Target) -> str:
    answer = target.ask("/console")
    if answer.status_code == 404:
        raise NotHere("not part of this deployment")
    if not answer.ok or "text/html" not in answer.headers.get("Content-Type", ""):
        raise Wrong(f"GET /console answers {answer.status_code}")
    return "answers"


CHECKS = (_health, _ready, _sign_in, _filters, _csv, _console)
