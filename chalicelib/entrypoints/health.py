"""Health over HTTP: what is switched on, whether the process lives, whether it can do its work."""

from chalice.app import Blueprint

from chalicelib.autoheal import runbooks
from chalicelib.autoheal.modes import Config, Mode
from chalicelib.bootstrap import container
from chalicelib.entrypoints.answer import Answer, json_answer
from chalicelib.entrypoints.call import Call
from chalicelib.entrypoints.endpoint import endpoint
from chalicelib.shared.errors import Unavailable
from chalicelib.shared.health import examine

routes = Blueprint(__name__)


@routes.route("/", methods=["GET"])
@endpoint(routes)
def home(call: Call) -> Answer:
    """Tell that the API is there, and what is switched on."""
    settings = container().settings
    config = _config()
    percent = config.chaos_at(container().clock.now())
    return json_answer(
        {
            "status": "ok",
            "enabled": config.mode is not Mode.OFF,
            "dry_run": config.mode is not Mode.LIVE,
            "chaos": {"enabled": percent > 0, "failure_rate_pct": percent},
            "otel": {"enabled": False},
            "oidc": {"enabled": settings.oidc.enabled},
            "actions": _actions() if settings.autoheal_store.table_prefix else [],
        }
    )


def _actions() -> list[str]:
    return sorted(name for name, one in runbooks.load().items() if not one.drill)


def _config() -> Config:
    """Return the healer's config; while its store is away, the one of the deployment."""
    try:
        return container().autoheal.dependencies.config()
    except Unavailable:
        return container().settings.autoheal.deployed


@routes.route("/health/live", methods=["GET"])
@endpoint(routes)
def live(call: Call) -> Answer:
    """Tell that the process lives; asks no dependency."""
    return json_answer({"status": "ok"})


@routes.route("/health/ready", methods=["GET"])
@endpoint(routes)
def ready(call: Call) -> Answer:
    """Tell whether every dependency that the API needs answers, and how fast; 503 when one does not."""
    findings = examine(container().access.checks(), container().clock)
    ok = all(finding.ok for finding in findings.values())
    dependencies = {
        name: {
            "status": "ok" if one.ok else "down",
            "latencyMs": one.latency_ms,
            **({"detail": one.detail} if one.detail else {}),
        }
        for name, one in findings.items()
    }
    return json_answer(
        {"status": "ok" if ok else "down", "dependencies": dependencies},
        status=200 if ok else 503,
    )
