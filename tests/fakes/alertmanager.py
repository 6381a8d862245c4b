"""A fake of Alertmanager."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from chalicelib.autoheal.alert import Alert
from chalicelib.shared.clock import rfc3339
from chalicelib.shared.errors import BadGateway, NotFound


@dataclass
class FakeAlertmanager:
    """An `AlertSource` in memory."""

    firing: list[Alert] = field(default_factory=list)
    created: dict[str, dict[str, Any]] = field(default_factory=dict)
    down: bool = False
    on_silence: Callable[[], None] = lambda: None

    def alerts(self, filters: Mapping[str, str]) -> list[Alert]:
        self._answer()
        return [
            alert
            for alert in self.firing
            if all(alert.labels.get(name) == value for name, value in filters.items())
        ]

    def listed(self) -> list[dict[str, Any]]:
        self._answer()
        return [
            {"labels": dict(alert.labels), "fingerprint": alert.fingerprint}
            for alert in self.firing
        ]

    def silences(self) -> list[dict[str, Any]]:
        self._answer()
        return list(self.created.values())

    def silence(
        self,
        matchers: Mapping[str, str],
        start: datetime,
        end: datetime,
        by: str,
        comment: str,
    ) -> str:
        self._answer()
        silence_id = str(uuid4())
        listed = [
            {"name": name, "value": value, "isRegex": False, "isEqual": True}
            for name, value in matchers.items()
        ]
        self.created[silence_id] = {
            "id": silence_id,
            "matchers": listed,
            "createdBy": by,
            "comment": comment,
            "startsAt": rfc3339(start),
            "endsAt": rfc3339(end),
            "status": {"state": "active"},
        }
        self.on_silence()
        return silence_id

    def expire(self, silence_id: str) -> None:
        self._answer()
        if silence_id not in self.created:
            raise NotFound("no such silence")
        self.created[silence_id]["status"]["state"] = "expired"

    def _answer(self) -> None:
        if self.down:
            raise BadGateway("down", cause="test")
