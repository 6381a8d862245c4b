"""The configuration and the client, on a real Alertmanager."""

import queue
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import pytest
import requests
import yaml

from chalicelib.adapters.alertmanager import AlertmanagerClient
from chalicelib.autoheal import runbooks
from chalicelib.autoheal.alert import Alert, Status, parse_delivery
from chalicelib.shared.errors import BadGateway, NotFound
from infra.drill.targets import fingerprint
from infra.local.alertmanager import Alertmanager, write
from infra.local.debian import program
from infra.local.ports import free_port
from infra.paths import ROOT
from infra.readiness.routing import problem_of
from infra.slo.outputs import RULES
from tests.conftest import CACHE

VALUES = {
    "AUTOHEAL_WEBHOOK_URL": "http://127.0.0.1:9/autoheal/alert",
    "AUTOHEAL_WEBHOOK_TOKEN": "t",
    "CHAT_WEBHOOK_URL": "http://127.0.0.1:9/chat",
    "AUTOHEAL_PUBLIC_URL": "https://aetherlink.test/api",
}


@pytest.fixture(scope="module")
def client(alertmanager: Alertmanager) -> Iterator[AlertmanagerClient]:
    alertmanager.start(VALUES)
    yield AlertmanagerClient(alertmanager.url, timeout_seconds=5)


def fire(alertmanager: Alertmanager, *, ended: bool = False, **labels: str) -> None:
    now = datetime.now(UTC)
    alert: dict[str, Any] = {
        "labels": labels,
        "annotations": {"autoheal": "true"},
        "startsAt": now.isoformat(),
    }
    if ended:
        alert |= {
            "startsAt": (now - timedelta(minutes=1)).isoformat(),
            "endsAt": now.isoformat(),
        }
    assert requests.post(f"{alertmanager.url}/api/v2/alerts", json=[alert], timeout=5).ok


def test_the_drill_names_an_alert_as_alertmanager_does(
    alertmanager: Alertmanager, client: AlertmanagerClient
) -> None:
    fire(alertmanager, alertname="DrillTargetDown", service="drill-ä-0", a="b")
    [alert] = client.alerts({"alertname": "DrillTargetDown"})
    assert alert.fingerprint == fingerprint(
        {"alertname": "DrillTargetDown", "service": "drill-ä-0", "a": "b"}
    )


def test_amtool_accepts_the_configuration(alertmanager: Alertmanager, tmp_path: Path) -> None:
    amtool = program(Alertmanager.spec.package, "amtool", CACHE)
    done = subprocess.run(
        [amtool, "check-config", write(tmp_path, VALUES)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "SUCCESS" in done.stdout


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        ({"alertname": "TcpEndpointDownFast", "autoheal": "true"}, "autoheal,chat"),
        ({"alertname": "UptimeProbeFailing", "autoheal": "true"}, "autoheal,chat"),
        ({"alertname": "CrmMetricsScrapeStale", "autoheal": "true"}, "autoheal,chat"),
        ({"alertname": "AnAlertOfTomorrow", "autoheal": "true"}, "autoheal,chat"),
        ({"alertname": "DrillTargetDown", "drill": "true"}, "autoheal"),
        ({"alertname": "AutohealServiceDown"}, "chat"),
        ({"alertname": "AutohealTcpEndpointDownFast", "autoheal": "true"}, "chat"),
        ({"alertname": "OutboxStalled"}, "chat"),
    ],
)
def test_alerts_are_routed_to_their_receivers(
    alertmanager: Alertmanager, tmp_path: Path, labels: dict[str, str], receivers: str
) -> None:
    amtool = program(Alertmanager.spec.package, "amtool", CACHE)
    pairs = [f"{name}={value}" for name, value in labels.items()]
    command = [
        amtool,
        "config",
        "routes",
        "test",
        f"--config.file={write(tmp_path, VALUES)}",
        *pairs,
    ]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.stdout.strip() == receivers, done.stderr


def test_the_configuration_names_no_alert() -> None:
    text = (ROOT / "infra/alertmanager/alertmanager.yml").read_text()
    groups = yaml.safe_load((ROOT / "infra/prometheus/rules" / RULES).read_text())["groups"]
    alerts = {rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule}
    assert not [name for name in alerts | set(runbooks.load()) if name in text]


def test_every_runbook_s_alert_is_sent_to_the_healer() -> None:
    configuration = yaml.safe_load((ROOT / "infra/alertmanager/alertmanager.yml").read_text())
    assert problem_of(configuration) == ""


def test_alerts_are_read_with_their_labels_silenced_ones_too(
    alertmanager: Alertmanager, client: AlertmanagerClient
) -> None:
    name = f"A{uuid4().hex[:8]}"
    hostile = 'x"} or {y="\\'
    fire(alertmanager, alertname=name, service=hostile)
    fire(alertmanager, alertname=name, service="other")
    [alert] = client.alerts({"alertname": name, "service": hostile})
    assert (alert.name, alert.status, alert.opted_in, alert.labels["service"]) == (
        name,
        Status.FIRING,
        True,
        hostile,
    )
    now = datetime.now(UTC)
    client.silence({"alertname": name}, now, now + timedelta(minutes=5), "ada", "x")
    assert len(client.alerts({"alertname": name})) == 2
    fire(alertmanager, ended=True, alertname=name, service="other")
    assert len(client.alerts({"alertname": name})) == 1


class Receiver(BaseHTTPRequestHandler):
    """Keeps the bodies of webhook calls."""

    bodies: ClassVar[queue.Queue[bytes]] = queue.Queue()

    def do_POST(self) -> None:
        self.bodies.put(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def test_the_webhook_and_the_api_agree_on_the_episode(home: Path) -> None:
    server = HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    own = Alertmanager(home / f"alertmanager-{uuid4().hex[:8]}", free_port(), CACHE)
    try:
        own.start({**VALUES, "AUTOHEAL_WEBHOOK_URL": f"http://127.0.0.1:{server.server_port}/"})
        alert = {
            "labels": {
                "alertname": "TcpEndpointDownFast",
                "service": "crm-api",
                "autoheal": "true",
            }
        }  # its time is Alertmanager's
        assert requests.post(f"{own.url}/api/v2/alerts", json=[alert], timeout=5).ok
        [delivered] = parse_delivery(Receiver.bodies.get(timeout=30)).alerts
        [asked] = AlertmanagerClient(own.url, timeout_seconds=5).alerts(
            {"alertname": "TcpEndpointDownFast"}
        )
        assert isinstance(delivered, Alert)
        assert delivered.episode == asked.episode
    finally:
        own.stop()
        server.shutdown()
        server.server_close()


def test_a_silence_is_created_listed_and_ended(client: AlertmanagerClient) -> None:
    now = datetime.now(UTC)
    silence_id = client.silence(
        {"alertname": "B", "x": 'a"b'}, now, now + timedelta(hours=1), "ada", "why"
    )
    [silence] = [item for item in client.silences() if item["id"] == silence_id]
    assert (silence["createdBy"], silence["comment"], silence["status"]["state"]) == (
        "ada",
        "why",
        "active",
    )
    assert {matcher["name"]: matcher["value"] for matcher in silence["matchers"]} == {
        "alertname": "B",
        "x": 'a"b',
    }
    client.expire(silence_id)
    [silence] = [item for item in client.silences() if item["id"] == silence_id]
    assert silence["status"]["state"] == "expired"
    with pytest.raises(NotFound):
        client.expire(str(uuid4()))


@pytest.mark.parametrize("url", ["", "http://127.0.0.1:{port}"])
def test_an_alertmanager_that_is_down_is_a_bad_gateway(url: str) -> None:
    client = AlertmanagerClient(url.format(port=free_port()), timeout_seconds=0.5)
    for ask in (client.silences, client.listed, lambda: client.alerts({"alertname": "A"})):
        with pytest.raises(BadGateway):
            ask()
