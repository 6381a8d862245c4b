"""Alertmanager's API, version 2: alerts and silences. Waits and response sizes are limited."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote, urlencode

import urllib3

from chalicelib.autoheal.alert import Alert, read
from chalicelib.shared.clock import rfc3339
from chalicelib.shared.errors import BadGateway, NotFound

MAX_RESPONSE_BYTES: Final = 16_000_000
MAX_CAUSE_LENGTH: Final = 300


class AlertmanagerClient:
    """An `AlertSource`."""

    def __init__(self, url: str, *, timeout_seconds: float) -> None:
        """Ask the Alertmanager at `url` (with its route prefix, if it has one)."""
        self._url = url.rstrip("/")
        limits = urllib3.Timeout(connect=timeout_seconds, read=timeout_seconds)
        self._pool = urllib3.PoolManager(timeout=limits, retries=False, maxsize=2)

    def alerts(self, filters: Mapping[str, str]) -> list[Alert]:
        """Return the firing alerts with these labels; unreadable ones are left out."""
        alerts = [read(raw) for raw in self._listed(filters)]
        return [alert for alert in alerts if isinstance(alert, Alert)]

    def listed(self) -> list[dict[str, Any]]:
        """Return all alerts in Alertmanager's own format."""
        return self._listed({})

    def silences(self) -> list[dict[str, Any]]:
        """Return all silences in Alertmanager's own format."""
        return _list(self._ask("GET", "/api/v2/silences"))

    def silence(
        self,
        matchers: Mapping[str, str],
        start: datetime,
        end: datetime,
        by: str,
        comment: str,
    ) -> str:
        """Create a silence; return its id."""
        exact = [
            {"name": name, "value": value, "isRegex": False, "isEqual": True}
            for name, value in matchers.items()
        ]
        body = {
            "matchers": exact,
            "startsAt": rfc3339(start),
            "endsAt": rfc3339(end),
            "createdBy": by,
            "comment": comment,
        }
        response = self._ask("POST", "/api/v2/silences", body)
        if not isinstance(response, dict) or not isinstance(response.get("silenceID"), str):
            raise _failed("the response has no silence id")
        return str(response["silenceID"])

    def expire(self, silence_id: str) -> None:
        """End a silence."""
        path = f"/api/v2/silence/{quote(silence_id, safe='')}"
        # Older versions answer DELETE of an unknown silence with 500, but GET with 404.
        self._ask("GET", path)
        self._ask("DELETE", path)

    def _listed(self, filters: Mapping[str, str]) -> list[dict[str, Any]]:
        query = [
            ("active", "true"),
            ("silenced", "true"),
            ("inhibited", "true"),
            ("unprocessed", "true"),
        ]
        query += [("filter", f"{name}={_quoted(value)}") for name, value in filters.items()]
        return _list(self._ask("GET", f"/api/v2/alerts?{urlencode(query)}"))

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        if not self._url:
            raise _failed("ALERTMANAGER_URL is empty")
        try:
            response = self._pool.request(
                method,
                self._url + path,
                body=None if body is None else json.dumps(body).encode(),
                headers={"Content-Type": "application/json", "Accept": "application/json"},
                preload_content=False,
                redirect=False,
            )
            try:
                raw = response.read(MAX_RESPONSE_BYTES + 1)
            finally:
                response.release_conn()
        except (urllib3.exceptions.HTTPError, OSError) as problem:
            raise _failed(f"{type(problem).__name__}: {problem}") from problem
        if response.status == 404:
            raise NotFound("There is no such silence.")
        if response.status >= 300 or len(raw) > MAX_RESPONSE_BYTES:
            raise _failed(f"{response.status} {raw[:MAX_CAUSE_LENGTH]!r}")
        try:
            return json.loads(raw) if raw.strip() else None
        except (ValueError, RecursionError) as problem:
            raise _failed("the response is not JSON") from problem


def _list(response: Any) -> list[dict[str, Any]]:
    if not isinstance(response, list) or not all(isinstance(item, dict) for item in response):
        raise _failed("the response is not a list")
    return response


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _failed(cause: str) -> BadGateway:
    return BadGateway(
        "Alertmanager cannot be reached or gave an unexpected answer. Try again soon.",
        code="alertmanager-down",
        cause=cause[:MAX_CAUSE_LENGTH],
    )
