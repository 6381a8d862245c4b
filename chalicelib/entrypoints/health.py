"""Health over HTTP: the features that are on, liveness, and readiness."""

from chalice.app import Blueprint

from chalicelib.autoheal import runbooks
from chalicelib.autoheal.modes import Config, Mode
from chalicelib.bootstrap import container
from chalicelib.entrypoints.answer import Answer, json_answer
from chalicelib.entrypoints.call import Call
from chalicelib.entrypoints.endpoint import endpoint
from chalicelib.entrypoints.operation import Operation, Tag
from chalicelib.entrypoints.schemas import BOOLEAN, NUMBER, STRING, array_of, object_schema
from chalicelib.shared.errors import Unavailable
from chalicelib.shared.health import Finding, examine

FEATURE = object_schema({"enabled": BOOLEAN})
STATUS = object_schema({"status": STRING})
HOME = object_schema(
    {
        "status": STRING,
        "enabled": BOOLEAN,
        "dry_run": BOOLEAN,
        "chaos": object_schema({"enabled": BOOLEAN, "failure_rate_pct": NUMBER}),
        "otel": FEATURE,
        "oidc": FEATURE,
        "actions": array_of(STRING),
    }
)
DEPENDENCY = object_schema({"status": STRING, "latencyMs": NUMBER}, {"detail": STRING})
READINESS = object_schema(
    {
        "status": STRING,
        "dependencies": {"type": "object", "additionalProperties": DEPENDENCY},
    }
)

routes = Blueprint(__name__)


@routes.route("/", methods=["GET"])
@endpoint(
    routes,
    Operation(
        summary="Show which features are on",
        tag=Tag.SERVICE,
        description=(
            "`enabled`, `dry_run` and `actions` describe the self-healing: whether it is on, "
            "whether it only simulates, and the alerts that it has runbooks for. "
            "`chaos` is the share of remediations that fail on purpose."
        ),
        response=HOME,
        response_description="The features of this deployment.",
    ),
)
def home(call: Call) -> Answer:
    """Return the features of this deployment."""
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
    """Return the alerts that have a runbook, without those of drills."""
    return sorted(name for name, runbook in runbooks.load().items() if not runbook.drill)


def _config() -> Config:
    """Return the config in force; while its store is down, the deployment's own."""
    try:
        return container().autoheal.dependencies.config()
    except Unavailable:
        return container().settings.autoheal.deployed


@routes.route("/health/live", methods=["GET"])
@endpoint(
    routes,
    Operation(
        summary="Check that the process is alive",
        tag=Tag.SERVICE,
        description="Does not check any dependency.",
        response=STATUS,
        response_description="The process is alive.",
    ),
)
def live(call: Call) -> Answer:
    """Return that the process is alive."""
    return json_answer({"status": "ok"})


@routes.route("/health/ready", methods=["GET"])
@endpoint(
    routes,
    Operation(
        summary="Check that every dependency is available",
        tag=Tag.SERVICE,
        description="Checks all dependencies at once, within two seconds.",
        response=READINESS,
        response_example={
            "status": "ok",
            "dependencies": {"postgres": {"status": "ok", "latencyMs": 1.4}},
        },
        response_description="Every dependency is available.",
        same_body={503: "At least one dependency is down. The response names it."},
    ),
)
def ready(call: Call) -> Answer:
    """Return the state of each dependency, and 503 if one is down."""
    findings = examine(container().access.checks(), container().clock)
    ok = all(finding.ok for finding in findings.values())
    dependencies = {name: _dependency(finding) for name, finding in findings.items()}
    return json_answer(
        {"status": "ok" if ok else "down", "dependencies": dependencies},
        status=200 if ok else 503,
    )


def _dependency(finding: Finding) -> dict[str, object]:
    status = "ok" if finding.ok else "down"
    members: dict[str, object] = {"status": status, "latencyMs": finding.latency_ms}
    if finding.detail:
        members["detail"] = finding.detail
    return members
