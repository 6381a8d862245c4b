"""The switches: chaos has to be off, the healer in the requested mode."""

from typing import Any

from infra.readiness.check import Wrong, check
from infra.readiness.target import Target

LIVE = "live"


@check("chaos", "no failures on purpose", 'PUT /autoheal/config {"chaos": {"percent": 0}}')
def _chaos(target: Target) -> str:
    chaos = target.ask("/").json()["chaos"]
    if chaos["enabled"]:
        raise Wrong(f"{chaos['failure_rate_pct']:g} % of the actions fail on purpose")
    return "off"


def _config(target: Target) -> dict[str, Any]:
    answer = target.ask("/autoheal/config")
    if not answer.ok:
        raise Wrong(f"GET /autoheal/config answers {answer.status_code}")
    return dict(answer.json())


@check("mode", "what the healer may do", 'PUT /autoheal/config {"mode": "live"}')
def _mode(target: Target) -> str:
    config = _config(target)
    if target.live and config["mode"] != LIVE:
        raise Wrong(f"the healer's mode is {config['mode']}: it heals nothing")
    return f"the healer's mode is {config['mode']}"


@check(
    "breakers",
    "no runbook has failed too often",
    "docs/runbooks/autoheal.md#autohealactionfailurespike",
)
def _breakers(target: Target) -> str:
    breakers = _config(target)["breakers"]
    is_open = [
        f"{breaker['runbook']} after {breaker['failures']} failures"
        for breaker in breakers
        if breaker["state"] != "closed"
    ]
    if is_open:
        raise Wrong(f"not closed: {', '.join(is_open)}")
    return f"all {len(breakers)} are closed"


CHECKS = (_chaos, _mode, _breakers)
