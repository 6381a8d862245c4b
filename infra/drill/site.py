"""The running stack as a drill uses it: API, Prometheus, Alertmanager, functions."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import requests

from chalicelib.security.identity import Role
from infra.drill.verdict import Broken
from infra.local.identity import DEFAULT_TENANT
from infra.local.prometheus import Prometheus
from infra.local.stack import Stack

SECONDS = 30.0
REFUSED = re.compile(
    r'^alertmanager_notifications_failed_total\{(?=[^}]*integration="webhook")[^}]*\} (\S+)$',
    re.MULTILINE,
)
STATUS = re.compile(r"unexpected status code (\d{3})")
SCHEDULED = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}
"""What a schedule sends to its function; the rest of the event is filled in."""


@dataclass
class Site:
    """A stack that is up. `prometheus` is the drill's own."""

    stack: Stack
    api: str
    prometheus: Prometheus
    _session: requests.Session = field(default_factory=requests.Session)
    _functions: Any = None

    def __post_init__(self) -> None:
        """Sign in as an operator."""
        self._session.headers["Authorization"] = (
            f"Bearer {self.stack.issuer.token(Role.ADMIN, DEFAULT_TENANT)}"
        )
        self._functions = self.stack.emulator.client("lambda")
        functions = self._functions.list_functions()["Functions"]
        self._names = [function["FunctionName"] for function in functions]

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Return what the API answers.

        Raises:
            Broken: it does not answer, or refuses.
        """
        try:
            answer = self._session.request(method, f"{self.api}{path}", json=body, timeout=SECONDS)
        except requests.RequestException as problem:
            error = type(problem).__name__
            raise Broken(
                "the API answers",
                f"{method} {path}: {error}",
                "look at `make logs SERVICE=emulator`",
            ) from None
        if not answer.ok:
            raise Broken(
                "the API answers",
                f"{method} {path}: {answer.status_code} {answer.text[:300]}",
                "read it",
            )
        return answer.json()

    def audit(self, **filters: str) -> list[dict[str, Any]]:
        """Return the newest audit events that `filters` let through, newest first."""
        page = self.ask("GET", f"/audit?{urlencode({'n': '200', **filters})}")
        while not page["events"] and page["nextCursor"]:
            page = self.ask("GET", f"/audit?{urlencode({**filters, 'cursor': page['nextCursor']})}")
        return list(page["events"])

    def alerts(self, name: str = "", **labels: str) -> list[dict[str, Any]]:
        """Return Prometheus' alerts, pending and firing: `labels`, `state`, `activeAt`."""
        answer = requests.get(f"{self.prometheus.url}/api/v1/alerts", timeout=SECONDS)
        answer.raise_for_status()
        selected = {**({"alertname": name} if name else {}), **labels}
        return [
            alert
            for alert in answer.json()["data"]["alerts"]
            if selected.items() <= alert["labels"].items()
        ]

    def firing(self, name: str, **labels: str) -> bool:
        """Return whether an alert fires in Prometheus."""
        return any(alert["state"] == "firing" for alert in self.alerts(name, **labels))

    def over(self, query: str, start: float, end: float) -> list[dict[str, Any]]:
        """Return each series of `query`, with `metric` and one of `values` a second."""
        params = {"query": query, "start": str(start), "end": str(end), "step": "1"}
        answer = requests.get(
            f"{self.prometheus.url}/api/v1/query_range", params=params, timeout=SECONDS
        )
        answer.raise_for_status()
        return list(answer.json()["data"]["result"])

    def at_alertmanager(self, name: str, **labels: str) -> list[dict[str, Any]]:
        """Return the alerts that Alertmanager has and that are not over."""
        answer = requests.get(f"{self._alertmanager}/api/v2/alerts", timeout=SECONDS)
        answer.raise_for_status()
        selected = {"alertname": name, **labels}
        return [alert for alert in answer.json() if selected.items() <= alert["labels"].items()]

    def send_alerts(self, *alerts: Mapping[str, Any]) -> None:
        """Send alerts, firing or resolved, to Alertmanager."""
        answer = requests.post(
            f"{self._alertmanager}/api/v2/alerts", json=list(alerts), timeout=SECONDS
        )
        answer.raise_for_status()

    def failed_deliveries(self) -> float:
        """Return how many webhook calls of Alertmanager failed since it started."""
        text = requests.get(f"{self._alertmanager}/metrics", timeout=SECONDS).text
        return sum(float(count) for count in REFUSED.findall(text))

    def refusal_status(self) -> str:
        """Return the last refusal's HTTP status in Alertmanager's log, or an empty text."""
        log = self.stack.healing.alertmanager.process.log
        statuses = STATUS.findall(log.read_text(errors="replace")) if log.exists() else []
        return statuses[-1] if statuses else ""

    def invoke(self, function: str) -> Any:
        """Invoke a scheduled function as its schedule does; return its answer.

        Raises:
            RuntimeError: there is no such function, or it failed.
            ClientError, BotoCoreError: it cannot be invoked.
        """
        name = next((deployed for deployed in self._names if function in deployed), None)
        if name is None:
            raise RuntimeError(f"there is no function {function}")
        event = {
            **SCHEDULED,
            "version": "0",
            "id": "drill",
            "account": "000000000000",
            "region": "us-east-1",
        }
        event |= {"time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), "resources": []}
        response = self._functions.invoke(FunctionName=name, Payload=json.dumps(event))
        answer = json.loads(response["Payload"].read() or "null")
        if response.get("FunctionError"):
            raise RuntimeError(str(answer)[:300])
        return answer

    @property
    def _alertmanager(self) -> str:
        return self.stack.healing.alertmanager.url
