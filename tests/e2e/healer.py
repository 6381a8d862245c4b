"""A deployed healer to drive: its services are real; it has neither a database nor a broker."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import requests

from infra.local.alertmanager import Alertmanager
from infra.local.demo_services import DemoServices
from infra.local.emulator import Emulator
from infra.local.ssm import LocalSsm
from tests.e2e.waiting import until
from tests.integration.proxy import Proxy

TOKEN = "e2e-token"
OPERATORS = UUID(int=7)
ROUTED = {"autoheal": "true"}
"""The label by which Alertmanager routes an alert to the healer."""

TCP = {"alertname": "TcpEndpointDownFast", "service": "crm-api", "severity": "critical"}
CALL_SECONDS = 30
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
"""What a schedule sends to its function."""


@dataclass
class Healer:
    """A deployed healer and the services around it."""

    emulator: Emulator
    alertmanager: Alertmanager
    services: DemoServices
    ssm: LocalSsm
    dynamodb: Proxy
    api: str

    def call(self, method: str, path: str, body: Any = None, roles: str = "admin") -> Any:
        """Return what the API answers to an operator."""
        headers = {"X-Tenant-Id": str(OPERATORS), "X-Roles": roles}
        response = requests.request(
            method, self.api + path, json=body, headers=headers, timeout=CALL_SECONDS
        )
        assert response.ok, response.text
        return response.json()

    def webhook(self) -> dict[str, str]:
        """Return the configuration values of an Alertmanager that drives this healer."""
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
        annotated: bool = True,
        at: Alertmanager | None = None,
    ) -> None:
        """Post an alert for each of `labels`, firing or `over`, to our Alertmanager or `at`."""
        alert: dict[str, Any] = {
            "annotations": {"autoheal": "true"} if annotated else {},
            "startsAt": (since or datetime.now(UTC)).isoformat(),
        }
        if over:
            alert["endsAt"] = datetime.now(UTC).isoformat()
        self._post(
            [{**alert, "labels": {**ROUTED, **each}} for each in labels], at or self.alertmanager
        )

    def end_alerts(self) -> None:
        """End every alert that fires."""
        now = datetime.now(UTC).isoformat()
        self._post([{"labels": alert["labels"], "endsAt": now} for alert in self.alerts()])

    def alerts(self) -> list[Any]:
        """Return the alerts of the healer's Alertmanager."""
        return list(requests.get(f"{self.alertmanager.url}/api/v2/alerts", timeout=10).json())

    def actions(self, service: str = "") -> list[Any]:
        """Return the actions, newest first, of one `service` if it is named."""
        return [
            action
            for action in self.call("GET", "/autoheal/actions")["items"]
            if service in ("", action["labels"].get("service", action["labels"].get("job")))
        ]

    def commands(self, service: str) -> int:
        """Return how many commands about `service` Systems Manager was sent."""
        sent = self.ssm.client().list_commands()["Commands"]
        return sum(command["Parameters"].get("Service") == [service] for command in sent)

    def reason(self, service: str, kind: str = "decision_skip") -> str:
        """Await the latest decision about `service`; return its reason."""
        return str(until(lambda: self.audit(kind=kind, contains=service))[0]["reason"])

    def await_reason(self, service: str, reason: str) -> None:
        """Await that the latest decision about `service` has this `reason`."""
        until(lambda: self.reason(service) == reason)

    def audit(self, **filters: str) -> list[Any]:
        """Return the first events with `filters`, from the next page where one ended early."""
        page = self.call("GET", f"/audit?{urlencode(filters)}")
        while not page["events"] and page["nextCursor"]:
            filters["cursor"] = page["nextCursor"]
            page = self.call("GET", f"/audit?{urlencode(filters)}")
        return list(page["events"])

    def tick(self) -> Any:
        """Run the scheduled function that settles actions; it must succeed. Return its result."""
        result = self.emulator.invoke("AutohealTick", SCHEDULED)
        assert result["troubles"] == 0, result
        return result

    def _post(self, alerts: list[dict[str, Any]], at: Alertmanager | None = None) -> None:
        url = f"{(at or self.alertmanager).url}/api/v2/alerts"
        assert requests.post(url, json=alerts, timeout=10).ok
