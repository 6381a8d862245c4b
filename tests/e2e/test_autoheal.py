"""The healer deployed: a real Alertmanager drives it, a service is really restarted; no database, no broker."""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import requests

from infra.aws.package import build
from infra.local.alertmanager import Alertmanager
from infra.local.demo_services import DemoServices
from infra.local.emulator import Emulator
from infra.local.process import free_port
from infra.local.ssm_agent import LocalSsm

pytestmark = pytest.mark.e2e
TOKEN, OPERATORS = "e2e-token", UUID(int=7)
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
    api: str

    def ask(self, method: str, path: str, body: Any = None, roles: str = "admin") -> Any:
        headers = {"X-Tenant-Id": str(OPERATORS), "X-Roles": roles}
        answer = requests.request(method, self.api + path, json=body, headers=headers, timeout=30)
        assert answer.ok, answer.text
        return answer.json()

    def fire(self, labels: dict[str, str], *, over: bool = False, since: datetime) -> None:
        one: dict[str, Any] = {"labels": labels, "annotations": {"autoheal": "true"}, "startsAt": since.isoformat()}
        if over:
            one["endsAt"] = datetime.now(UTC).isoformat()
        assert requests.post(f"{self.alertmanager.url}/api/v2/alerts", json=[one], timeout=10).ok

    def actions(self) -> list[Any]:
        return list(self.ask("GET", "/autoheal/actions")["items"])


def until(what: Callable[[], Any], seconds: float = SECONDS) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.2)
    return found


@pytest.fixture(scope="module")
def system(services: DemoServices, ssm: LocalSsm, alertmanager: Alertmanager) -> Iterator[System]:
    home = Path(tempfile.mkdtemp(prefix="aetherlink-e2e-"))
    emulator = Emulator(home / "emulator", free_port())
    dead = f"127.0.0.1:{free_port()}"
    environment = {
        "OIDC_ENABLED": "false",
        "OPERATOR_TENANT_ID": str(OPERATORS),
        "DATABASE_URL": f"postgresql://nobody:nothing@{dead}/none",
        "RELAY_DATABASE_URL": f"postgresql://nobody:nothing@{dead}/none",
        "KAFKA_BOOTSTRAP_SERVERS": dead,
        "AWS_ENDPOINT_URL_SSM": ssm.url,
        "ALERTMANAGER_URL": alertmanager.url,
        "AUTOHEAL_WEBHOOK_TOKENS": TOKEN,
    }
    try:
        emulator.start()
        app = build(home / "package", stage="local", environment=environment)
        url = emulator.deploy(app, key="e2e")
        alertmanager.start(
            {
                "AUTOHEAL_WEBHOOK_URL": f"{url}/autoheal/alert",
                "AUTOHEAL_WEBHOOK_TOKEN": TOKEN,
                "CHAT_WEBHOOK_URL": f"http://{dead}/chat",
                "AUTOHEAL_PUBLIC_URL": url,
            }
        )
        yield System(emulator, alertmanager, services, url)
    finally:
        emulator.stop()
        shutil.rmtree(home, ignore_errors=True)


def test_the_template_brought_the_tables(system: System) -> None:
    found = system.emulator.client("dynamodb").list_tables()["TableNames"]
    wanted = {f"aetherlink-autoheal-local-{name}" for name in ("state", "actions", "audit", "ledger")}
    assert wanted <= set(found)


def test_an_alert_drives_a_restart_and_its_end_verifies_the_cure(system: System) -> None:
    assert system.ask("GET", "/")["enabled"] is False
    system.ask("PUT", "/autoheal/config", {"mode": "live"})
    system.services.kill("crm-api")
    until(lambda: not system.services.answers("crm-api"))
    since = datetime.now(UTC) - timedelta(seconds=1)
    system.fire(TCP, since=since)
    [action] = until(system.actions)
    until(lambda: system.services.answers("crm-api"))
    assert (action["alertname"], action["attempt"]) == (TCP["alertname"], 1)
    system.fire(TCP, over=True, since=since)
    done = system.emulator.invoke("AutohealTick", SCHEDULED)
    assert done["troubles"] == 0, done
    until(lambda: system.actions()[0]["state"] == "SUCCEEDED")
    assert len(system.actions()) == 1
    kinds = [one["kind"] for one in system.ask("GET", "/audit?contains=crm-api")["events"]]
    assert {"action_ok", "action_sent", "action_eligible"} <= set(kinds)


def test_the_healer_s_own_alerts_never_reach_it(system: System) -> None:
    before = len(system.ask("GET", "/audit?kind=webhook_received")["events"])
    labels = {"alertname": "AutohealServiceDown", "severity": "critical"}
    system.fire(labels, since=datetime.now(UTC))
    listed = requests.get(f"{system.alertmanager.url}/api/v2/alerts", timeout=10).json()
    [mine] = [one for one in listed if one["labels"]["alertname"] == labels["alertname"]]
    assert [one["name"] for one in mine["receivers"]] == ["chat"]
    assert len(system.ask("GET", "/audit?kind=webhook_received")["events"]) == before


def test_the_metrics_are_those_of_all_functions(system: System) -> None:
    text = requests.get(
        f"{system.api}/metrics", headers={"X-Tenant-Id": str(OPERATORS), "X-Roles": "ops"}, timeout=30
    ).text
    assert 'autoheal_actions_total{alertname="TcpEndpointDownFast",result="executed"} 1' in text
    assert 'autoheal_event_total{kind="heartbeat"}' in text
