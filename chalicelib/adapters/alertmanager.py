"""Alertmanager through its API, version 2: alerts and silences. Every wait and every answer is bounded."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote, urlencode

import urllib3

from chalicelib.autoheal.alert import Alert, read
from chalicelib.shared.clock import rfc3339
from chalicelib.shared.errors import BadGateway, NotFound

MAX_ANSWER: Final = 16_000_000
MAX_SAID: Final = 300


class AlertmanagerClient:
    """An `AlertSource`."""

    def __init__(self, url: str, *, timeout_seconds: float) -> None:
        """Ask the Alertmanager at `url` (with its route prefix, if it has one)."""
        self._url = url.rstrip("/")
        limits = urllib3.Timeout(connect=timeout_seconds, read=timeout_seconds)
        self._pool = urllib3.PoolManager(timeout=limits, retries=False, maxsize=2)

    def alerts(self, filters: Mapping[str, str]) -> list[Alert]:
        """Return the alerts that fire and have these labels."""
        return [one for raw in self._listed(filters) if isinstance(one := read(raw), Alert)]

    def listed(self) -> list[dict[str, Any]]:
        """Return all alerts as Alertmanager has them."""
        return self._listed({})

    def silences(self) -> list[dict[str, Any]]:
        """Return all silences as Alertmanager has them."""
        return _list(self._ask("GET", "/api/v2/silences"))

    def silence(
        self,
        matchers: Mapping[str, str],
        start: datetime,
        end: datetime,
        by: str,
        comment: str,
    ) -> str:
        """Make a silence; return its id."""
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
        made = self._ask("POST", "/api/v2/silences", body)
        if not isinstance(made, dict) or not isinstance(made.get("silenceID"), str):
            raise _broken("the response has no silence id")
        return str(made["silenceID"])

    def expire(self, silence_id: str) -> None:
        """End a silence."""
        path = f"/api/v2/silence/{quote(silence_id, safe='')}"
        self._ask("GET", path)  # older versions answer 500 when they are to end what is not there
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
            raise _broken("ALERTMANAGER_URL is empty")
        try:
            headers = {"Content-Type": "application/json", "Accept": "application/json"}
            sent = None if body is None else json.dumps(body).encode()
            answer = self._pool.request(
                method,
                self._url + path,
                body=sent,
                headers=headers,
                preload_content=False,
                redirect=False,
            )
            try:
                raw = answer.read(MAX_ANSWER + 1)
            finally:
                answer.release_conn()
        except (urllib3.exceptions.HTTPError, OSError) as problem:
            raise _broken(f"{type(problem).__name__}: {problem}") from problem
        if answer.status == 404:
            raise NotFound("There is no such silence.")
        if answer.status >= 300 or len(raw) > MAX_ANSWER:
            raise _broken(f"{answer.status} {raw[:MAX_SAID]!r}")
        try:
            return json.loads(raw) if raw.strip() else None
        except (ValueError, RecursionError) as problem:
            raise _broken("the response is not JSON") from problem


def _list(said: Any) -> list[dict[str, Any]]:
    if not isinstance(said, list) or not all(isinstance(one, dict) for one in said):
        raise _broken("the response is not a list")
    return said


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _broken(cause: str) -> BadGateway:
    return BadGateway(
        "Alertmanager cannot be reached or gave an unexpected answer. Try again soon.",
        code="alertmanager-down",
        cause=cause[:MAX_SAID],
    )
