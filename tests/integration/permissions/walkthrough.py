"""What each function does: everything that the API offers, and each scheduled run."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from chalice.test import Client

import app
from chalicelib.autoheal.runbooks import load
from chalicelib.bootstrap import container
from chalicelib.entrypoints import schedule
from tests.builders.alerts import TCP, delivery, raw_alert

Send = Callable[..., tuple[int, Any]]


Calls = dict[str, set[tuple[str, str]]]


class Context:
    """The context of a Lambda invocation."""

    aws_request_id = "request-1"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 4_000


def _use_api(tenant: UUID) -> None:
    fixed = {"X-Tenant-Id": str(tenant), "Content-Type": "application/json"}
    with Client(app.app, stage_name="local") as client:

        def send(method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
            answer = client.http.request(
                method,
                path,
                {**fixed, "X-Roles": "sales", **headers},
                json.dumps(body).encode(),
            )
            return answer.status_code, answer.json_body

        key = {"Idempotency-Key": str(uuid4())}
        created = send("POST", "/api/crm/accounts", {"name": "x"}, **key)
        assert created[0] == 201, created
        assert send("POST", "/api/crm/accounts", {"name": "y"})[0] == 201
        orphan = {"accountId": str(uuid4()), "title": "x"}
        assert send("POST", "/api/crm/jobs", orphan, **{"Idempotency-Key": str(uuid4())})[0] == 422
        assert send("GET", "/api/crm/accounts?limit=1")[1]["nextCursor"]
        assert send("GET", "/api/outbox", **{"X-Roles": "ops"})[0] == 200
        _use_autoheal(send)


def _use_autoheal(send: Send) -> None:
    """Use everything that the self-healing offers over HTTP."""
    ops = {"X-Roles": "admin"}
    hook = {"Authorization": "Bearer hook"}

    def deliver(*alerts: Any) -> list[dict[str, Any]]:
        status, response = send("POST", "/autoheal/alert", json.loads(delivery(*alerts)), **hook)
        assert status == 200, response
        return list(response["results"])

    assert send("PUT", "/autoheal/config", {"mode": "live"}, **ops)[0] == 200
    assert send("GET", "/autoheal/config", **ops)[0] == 200
    first = raw_alert(starts_at=datetime.now(UTC), fingerprint=uuid4().hex[:16])
    sent = deliver(first)
    assert sent[0]["result"] == "executed", sent
    deliver(first, raw_alert(autoheal=None), {**first, "status": "resolved"})
    for name in sorted(load()):
        deliver(
            raw_alert(
                name,
                starts_at=datetime.now(UTC),
                fingerprint=uuid4().hex[:16],
                service="crm-db",
            )
        )
    waiting = send("GET", "/autoheal/actions?state=AWAITING_APPROVAL", **ops)[1]["items"]
    for act, action in zip(("approve", "reject"), waiting, strict=False):
        send("POST", f"/autoheal/actions/{action['id']}/{act}", **ops)
    listed = send("GET", "/autoheal/actions", **ops)[1]["items"]
    assert send("GET", f"/autoheal/actions/{listed[0]['id']}", **ops)[0] == 200
    for query in (
        "",
        "?kind=action_sent",
        f"?alertname={TCP}",
        "?contains=x&n=5",
        "?since=1",
    ):
        assert send("GET", f"/audit{query}", **ops)[0] == 200
    labels = {"alertname": TCP, "service": "crm-api"}
    status, response = send("POST", "/ack", {"labels": labels, "duration": "1m"}, **ops)
    assert status in (200, 502), response
    if status == 200:
        assert send("DELETE", f"/silences/{response['silenceId']}", **ops)[0] == 204
    assert send("GET", "/ack?token=made-up")[0] == 403
    assert send("GET", "/metrics", Authorization="Bearer scrape")[0] == 200


def _run_relay() -> None:
    """Run the relay while the broker is down, and again while another one owns every shard."""
    schedule.run_relay(Context())
    container().outbox.store("another-relay").claim(uuid4(), limit=1_000, seconds=60)
    schedule.run_relay(Context())


def invocations(tenant: UUID) -> dict[str, Callable[[], object]]:
    return {
        "api_handler": lambda: _use_api(tenant),
        "relay": _run_relay,
        "replay": lambda: schedule.run_replays(Context()),
        "outbox_upkeep": schedule.run_outbox_upkeep,
        "idempotency_cleanup": schedule.run_idempotency_cleanup,
        "autoheal_tick": lambda: schedule.run_autoheal_tick(Context()),
        "metrics_push": lambda: schedule.run_metrics_push(Context()),
    }
