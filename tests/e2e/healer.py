"""A deployed healer to drive: its surroundings are real, its database and its broker are not there at all."""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest
import requests

from infra.aws.package import build
from infra.local.alertmanager import Alertmanager
from infra.local.demo_services import DemoServices
from infra.local.emulator import Emulator
from infra.local.ports import free_port
from infra.local.ssm import LocalSsm
from tests.integration.proxy import Proxy

TOKEN = "e2e-token"
OPERATORS = UUID(int=7)
TCP = {"alertname": "TcpEndpointDownFast", "service": "crm-api", "severity": "critical"}
SECONDS = 60.0
SCHEDULED = {
    "version": "0",
    "id": "0197a3c0-5f3e-7cc4-9d0a-2b8b6f0f1e11",
    "detail-type": "Scheduled Event",
    "source": "aws.events",
    "account": "000000000000",
    "time": "2030-01-01T00:00:00Z",
    "region": "us-east-1",
    "resources": [],
    "detail": {},
}


@dataclass
class System:
    """A deployed healer and its surroundings."""

    emulator: Emulator
    alertmanager: Alertmanager
    services: DemoServices
    ssm: LocalSsm
    dynamodb: Proxy
    api: str

    def ask(self, method: str, path: str, body: Any = None, roles: str = "admin") -> Any:
        headers = {"X-Tenant-Id": str(OPERATORS), "X-Roles": roles}
        answer = requests.request(method, self.api + path, json=body, headers=headers, timeout=30)
        assert answer.ok, answer.text
        return answer.json()

    def webhook(self) -> dict[str, str]:
        """Return how an Alertmanager is to be configured that drives this healer."""
        return {
            "AUTOHEAL_WEBHOOK_URL": f"{self.api}/autoheal/alert",
            "AUTOHEAL_WEBHOOK_TOKEN": TOKEN,
            "CHAT_WEBHOOK_URL": "http://127.0.0.1:9/chat",
            "AUTOHEAL_PUBLIC_URL": self.api,
        }

    def fire(
        self,
        *labels: dict[str, str],
        over: bool = False,
        since: datetime | None = None,
        wanted: bool = True,
        at: Alertmanager | None = None,
    ) -> None:
        """Have an Alertmanager (the system's own, or the one `at`) say that alerts with `labels` fire, or are over."""
        alert: dict[str, Any] = {
            "annotations": {"autoheal": "true"} if wanted else {},
            "startsAt": (since or datetime.now(UTC)).isoformat(),
        }
        if over:
            alert["endsAt"] = datetime.now(UTC).isoformat()
        sent = [{**alert, "labels": one} for one in labels]
        assert requests.post(
            f"{(at or self.alertmanager).url}/api/v2/alerts", json=sent, timeout=10
        ).ok

    def calm(self) -> None:
        """End every alert that fires."""
        listed = requests.get(f"{self.alertmanager.url}/api/v2/alerts", timeout=10).json()
        ended = [
            {"labels": one["labels"], "endsAt": datetime.now(UTC).isoformat()} for one in listed
        ]
        assert requests.post(f"{self.alertmanager.url}/api/v2/alerts", json=ended, timeout=10).ok

    def actions(self, service: str = "") -> list[Any]:
        """Return the actions, newest first, of one `service` if it is named."""
        found = self.ask("GET", "/autoheal/actions")["items"]
        return [
            one
            for one in found
            if service in ("", one["labels"].get("service", one["labels"].get("job")))
        ]

    def commands(self, service: str) -> int:
        """Return how many commands about `service` Systems Manager was sent."""
        sent = self.ssm.client().list_commands()["Commands"]
        return sum(one["Parameters"].get("Service") == [service] for one in sent)

    def reason(self, service: str, kind: str = "decision_skip") -> str:
        """Await the latest decision about `service`; return its reason."""
        return str(until(lambda: self.audit(kind=kind, contains=service))[0]["reason"])

    def audit(self, **filters: str) -> list[Any]:
        """Return the first events with `filters`; a page that ended early is followed by the next."""
        page = self.ask("GET", f"/audit?{urlencode(filters)}")
        while not page["events"] and page["nextCursor"]:
            page = self.ask("GET", f"/audit?{urlencode({**filters, 'cursor': page['nextCursor']})}")
        return list(page["events"])


def until(what: Callable[[], Any], seconds: float = SECONDS) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.2)
    return found


@pytest.fixture(scope="module")
def system(services: DemoServices, ssm: LocalSsm, alertmanager: Alertmanager) -> Iterator[System]:
    """The healer, deployed; it reaches DynamoDB by a way that can be cut."""
    home = Path(tempfile.mkdtemp(prefix="aetherlink-e2e-"))
    emulator = Emulator(home / "emulator", free_port())
    dead = f"127.0.0.1:{free_port()}"
    try:
        emulator.start()
        with Proxy(emulator.port) as dynamodb:
            environment = {
                "OIDC_ENABLED": "false",
                "OPERATOR_TENANT_ID": str(OPERATORS),
                "DATABASE_URL": f"postgresql://nobody:nothing@{dead}/none",
                "RELAY_DATABASE_URL": f"postgresql://nobody:nothing@{dead}/none",
                "KAFKA_BOOTSTRAP_SERVERS": dead,
                "AWS_ENDPOINT_URL_DYNAMODB": f"http://127.0.0.1:{dynamodb.port}",
                "AWS_ENDPOINT_URL_SSM": ssm.url,
                "ALERTMANAGER_URL": alertmanager.url,
                "AUTOHEAL_WEBHOOK_TOKENS": TOKEN,
            }
            app = build(home / "package", stage="local", environment=environment)
            url = emulator.deploy(app, key="e2e")
            made = System(emulator, alertmanager, services, ssm, dynamodb, url)
            alertmanager.start(made.webhook())
            yield made
    finally:
        emulator.stop()
        shutil.rmtree(home, ignore_errors=True)
