"""What `make up` prints at its end: where to look, what to try, and where each service is."""

from chalicelib.security.identity import Role
from infra.local.identity import DEFAULT_TENANT
from infra.local.stack import Stack
from infra.paths import ROOT

DASHBOARD = ROOT / "infra" / "grafana" / "dashboards" / "aetherlink.json"


def addresses(stack: Stack, api_url: str) -> dict[str, dict[str, str]]:
    """Return texts by name, in groups by title; `api_url` is the deployed API's."""
    monitoring = {
        name: service.url
        for name, service in stack.healing.monitoring.items()
        if service.process.log.exists()
    }
    roles = " or ".join(role for role in Role if role is not Role.SALES)
    return {
        "look": {
            "docs": f"{api_url}/docs",
            "readiness": f"{api_url}/health/ready",
            **_named(monitoring, "prometheus", "alertmanager"),
            "dashboard": f"{DASHBOARD} (to import into Grafana)",
        },
        "try": {
            "token": f"TOKEN=$(make -s token ROLE={Role.SALES})  # or {roles}; for 8 hours",
            "make demo": "walks through the main use case",
            "make seed": "fills the tenant with sample data",
            "make drill": "breaks the stack, and checks that alerts fire and services are healed",
            "make readiness": "checks whether the stack is fit for production",
            "make down": "stops everything; data stays",
        },
        "addresses": {
            "API": f"{api_url}/",
            "tenant": str(DEFAULT_TENANT),
            "PostgreSQL": stack.postgres.database_url("aetherlink_api"),
            "Kafka": stack.kafka.bootstrap_servers,
            "AWS": stack.emulator.url,
            "OIDC issuer": stack.issuer.url,
            **_named(monitoring, "pushgateway", "blackbox"),
        },
    }


def _named(monitoring: dict[str, str], *names: str) -> dict[str, str]:
    return {name.capitalize(): monitoring[name] for name in names if name in monitoring}
