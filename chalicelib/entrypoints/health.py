"""Health over HTTP: what is switched on, whether the process lives, whether it can do its work."""

from chalice.app import Blueprint

from chalicelib import bootstrap
from chalicelib.entrypoints.http import Answer, Call, endpoint, json_answer
from chalicelib.health import examine

routes = Blueprint(__name__)


@routes.route("/", methods=["GET"])
@endpoint(routes)
def home(call: Call) -> Answer:
    """Tell that the API is there, and what is switched on."""
    settings = bootstrap.settings()
    return json_answer(
        {
            "status": "ok",
            "enabled": False,
            "dry_run": True,
            "chaos": {"enabled": False, "failure_rate_pct": 0},
            "otel": {"enabled": False},
            "oidc": {"enabled": settings.oidc_enabled},
            "actions": [],
        }
    )


@routes.route("/health/live", methods=["GET"])
@endpoint(routes)
def live(call: Call) -> Answer:
    """Tell that the process lives; asks no dependency."""
    return json_answer({"status": "ok"})


@routes.route("/health/ready", methods=["GET"])
@endpoint(routes)
def ready(call: Call) -> Answer:
    """Tell whether every dependency that the API needs answers, and how fast; 503 when one does not."""
    findings = examine(bootstrap.checks(), bootstrap.clock())
    ok = all(finding.ok for finding in findings.values())
    dependencies = {
        name: {
            "status": "ok" if one.ok else "down",
            "latencyMs": one.latency_ms,
            **({"detail": one.detail} if one.detail else {}),
        }
        for name, one in findings.items()
    }
    return json_answer({"status": "ok" if ok else "down", "dependencies": dependencies}, status=200 if ok else 503)
