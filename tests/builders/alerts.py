"""Alerts and deliveries as Alertmanager sends them."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from chalicelib.autoheal.alert import Alert, read
from chalicelib.shared.clock import rfc3339
from tests.fakes.clock import START

TCP = "TcpEndpointDownFast"


def raw_alert(
    name: str = TCP,
    *,
    status: str = "firing",
    autoheal: str | None = "true",
    starts_at: datetime = START,
    fingerprint: str = "00000000000000a1",
    **labels: str,
) -> dict[str, Any]:
    """Return an alert as Alertmanager sends it."""
    return {
        "status": status,
        "labels": {
            "alertname": name,
            "service": "crm-api",
            "instance": "10.0.0.7:8080",
            **labels,
        },
        "annotations": {} if autoheal is None else {"autoheal": autoheal},
        "startsAt": rfc3339(starts_at),
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.test/graph",
        "fingerprint": fingerprint,
    }


def alert(name: str = TCP, **values: Any) -> Alert:
    """Return a parsed alert."""
    parsed = read(raw_alert(name, **values))
    assert isinstance(parsed, Alert)
    return parsed


def delivery(*alerts: Mapping[str, Any], **more: Any) -> bytes:
    """Return a webhook call."""
    payload = {
        "version": "4",
        "groupKey": "{}:{}",
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "autoheal",
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.test",
        "alerts": list(alerts),
        **more,
    }
    return json.dumps(payload).encode()
