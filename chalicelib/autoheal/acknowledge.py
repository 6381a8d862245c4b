"""Acknowledging an alert: a person silences exactly this alert for a while.

The server builds the matchers: the alert's name and the labels that identify its source,
each exact. Acknowledging an alert twice makes one silence: the first request reserves an
entry in the registry, and later ones get its silence id until the silence has ended.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Protocol
from uuid import UUID

from pydantic import ConfigDict, WithJsonSchema

from chalicelib.autoheal.alert import (
    ALERTNAME,
    LABEL_NAME,
    MAX_LABEL_LENGTH,
    MAX_LABELS,
    MAX_NAME_LENGTH,
    Alert,
    Status,
    read,
)
from chalicelib.autoheal.audit import AuditEvent, Kind
from chalicelib.autoheal.dependencies import Dependencies
from chalicelib.autoheal.records import count_event
from chalicelib.shared.clock import rfc3339
from chalicelib.shared.errors import Conflict, FieldError, Invalid, NotFound
from chalicelib.shared.ids import uuid7
from chalicelib.shared.schema import Model, Text
from chalicelib.telemetry.increments import Increments

IDENTITY: Final = (
    ALERTNAME,
    "instance",
    "job",
    "service",
    "target",
    "severity",
    "slo",
    "env",
    "cluster",
    "namespace",
)
"""Labels that a silence matches, of those that the alert has."""
MAX_DURATION: Final = timedelta(hours=24)
DEFAULT_DURATION: Final = "2h"
RESERVATION: Final = timedelta(seconds=20)
"""How long a request may take to create its silence, before another one may try."""
WAIT_SECONDS: Final = 3.0
PAUSE_SECONDS: Final = 0.1
DURATION: Final = re.compile(
    r"(?:(\d{1,2})d)?(?:(\d{1,4})h)?(?:(\d{1,5})m)?(?:(\d{1,6})s)?", re.ASCII
)
Comment = Annotated[str, Text(500, blank=True, multiline=True)]
PLAIN: Final = r"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$"
Label = Annotated[str, Text(MAX_LABEL_LENGTH, blank=True, exact=True)]
Labels = Annotated[
    dict[str, Label],
    WithJsonSchema(
        {
            "type": "object",
            "required": [ALERTNAME],
            "maxProperties": MAX_LABELS,
            "properties": {
                ALERTNAME: {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": MAX_NAME_LENGTH,
                    "pattern": PLAIN,
                }
            },
            "propertyNames": {
                "pattern": f"^{LABEL_NAME.pattern}$",
                "maxLength": MAX_NAME_LENGTH,
            },
            "additionalProperties": {
                "type": "string",
                "maxLength": MAX_LABEL_LENGTH,
                "pattern": PLAIN,
            },
        }
    ),
]


class Acknowledgement(Model):
    """Which alert to silence, by its labels or its fingerprint, for how long and why.

    The duration is a time such as `30m`, `2h` or `1h30m`, at most `24h`.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"required": ["labels"], "properties": {"labels": {"type": "object"}}},
                {
                    "required": ["fingerprint"],
                    "properties": {
                        "fingerprint": {"type": "string"},
                        "labels": {"type": "null"},
                    },
                },
            ]
        }
    )

    labels: Labels | None = None
    fingerprint: (
        Annotated[str, Text(16, pattern=r"^[0-9a-f]{16}$", reason="must be 16 hexadecimal digits")]
        | None
    ) = None
    duration: Annotated[str, Text(20)] = DEFAULT_DURATION
    comment: Comment = ""


@dataclass(frozen=True, slots=True)
class HeldSilence:
    """A silence in the registry; `silence_id` is empty while a request is creating it."""

    silence_id: str


class SilenceRegistry(Protocol):
    """The silences that were created here, by key. Raises `errors.Unavailable`."""

    def reserve(self, key: str, owner: str, now: datetime, until: datetime) -> HeldSilence | None:
        """Reserve `key` until `until`; return None, or the silence that holds it already."""
        ...

    def keep(self, key: str, owner: str, silence_id: str, ends: datetime) -> bool:
        """Store the id under a key that `owner` reserved; return whether it was still theirs."""
        ...

    def release(self, key: str, owner: str) -> None:
        """Release a key that `owner` reserved."""
        ...

    def forget(self, silence_id: str) -> None:
        """Release the key that holds `silence_id`."""
        ...


def parse_duration(text: str) -> timedelta:
    """Return the duration that `text` states, e.g. `30m`, `2h`, `1h30m`.

    Raises:
        errors.Invalid: it states none, or more than 24 hours.
    """
    duration = timedelta(0)
    match = DURATION.fullmatch(text.strip())
    if match:
        days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
        duration = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if not timedelta(0) < duration <= MAX_DURATION:
        reason = "must be a duration such as 30m, 2h or 1h30m, at most 24h"
        raise Invalid(
            f"duration {reason}.",
            code="bad-duration",
            errors=[FieldError("duration", reason)],
        )
    return duration


def matchers_of(labels: Mapping[str, str]) -> dict[str, str]:
    """Return the matchers of a silence for the alert with `labels`."""
    return {name: labels[name] for name in IDENTITY if labels.get(name)}


class Acknowledger:
    """Creates silences, and ends them."""

    def __init__(self, dependencies: Dependencies, silences: SilenceRegistry) -> None:
        """Work with `dependencies`, and note who made what in `silences`."""
        self._dependencies = dependencies
        self._silences = silences

    def acknowledge(self, acknowledgement: Acknowledgement, by: str) -> str:
        """Silence one alert; return the silence's id, the same for the same alert while it lasts.

        Raises:
            errors.Invalid: neither labels nor a fingerprint, or a bad duration.
            errors.NotFound: no alert with this fingerprint is firing.
            errors.Conflict: another request is acknowledging the alert.
            errors.BadGateway: Alertmanager cannot be reached.
        """
        alerts = self._dependencies.alerts
        duration = parse_duration(acknowledgement.duration)
        comment = acknowledgement.comment
        matchers = matchers_of(self._labels(acknowledgement))
        key = silence_key(matchers)
        owner = str(uuid7())
        held = self._reserve(key, owner)
        if held is not None:
            return held.silence_id
        try:
            now = self._dependencies.clock.now()
            until = now + duration
            silence_id = self._existing(matchers) or alerts.silence(
                matchers, now, until, by, comment or f"acknowledged by {by}"
            )
        except BaseException:
            self._silences.release(key, owner)
            raise
        self._silences.keep(key, owner, silence_id, until)
        details = {
            "by": by,
            "silence_id": silence_id,
            "matchers": matchers,
            "until": rfc3339(until),
            "comment": comment,
        }
        self._record(Kind.ACK, matchers[ALERTNAME], details)
        return silence_id

    def end(self, silence_id: UUID, by: str) -> None:
        """End a silence. Raises `errors.NotFound` and `errors.BadGateway`."""
        self._dependencies.alerts.expire(str(silence_id))
        self._silences.forget(str(silence_id))
        self._record(Kind.SILENCE_ENDED, "", {"by": by, "silence_id": str(silence_id)})

    def _labels(self, acknowledgement: Acknowledgement) -> Mapping[str, str]:
        labels = acknowledgement.labels
        if labels and labels.get(ALERTNAME) and _are_plain(labels):
            return labels
        if labels is None and acknowledgement.fingerprint:
            for alert in self._dependencies.alerts.alerts({}):
                if alert.fingerprint == acknowledgement.fingerprint:
                    return alert.labels
            raise NotFound("No alert with this fingerprint is firing.")
        reason = "must identify one alert: either its labels, with alertname, or its fingerprint"
        raise Invalid(
            f"labels {reason}.",
            code="validation-failed",
            errors=[FieldError("labels", reason)],
        )

    def _reserve(self, key: str, owner: str) -> HeldSilence | None:
        """Reserve `key`, or wait a little for the request that is creating its silence."""
        clock = self._dependencies.clock
        deadline = clock.monotonic() + WAIT_SECONDS
        while True:
            held = self._silences.reserve(key, owner, clock.now(), clock.now() + RESERVATION)
            if held is None or held.silence_id:
                return held
            if clock.monotonic() > deadline:
                raise Conflict(
                    "This alert is being acknowledged by another request. Try again soon.",
                    code="request-in-progress",
                )
            clock.sleep(PAUSE_SECONDS)

    def _existing(self, matchers: Mapping[str, str]) -> str | None:
        """Return an active silence of exactly these matchers.

        A request may have created one and been killed before it was stored in the registry.
        """
        for silence in self._dependencies.alerts.silences():
            active = silence.get("status", {}).get("state") == "active"
            if active and _are_same(silence.get("matchers", []), matchers):
                return str(silence["id"])
        return None

    def _record(self, kind: Kind, alertname: str, details: Mapping[str, Any]) -> None:
        event = AuditEvent(self._dependencies.clock.now(), kind, alertname, details)
        self._dependencies.record([event], count_event(Increments(), event))


def silence_key(matchers: Mapping[str, str]) -> str:
    """Return the registry key of a silence with these matchers."""
    return hashlib.sha256(json.dumps(sorted(matchers.items())).encode()).hexdigest()


def _are_plain(labels: Mapping[str, str]) -> bool:
    """Return whether an alert may have these labels."""
    raw = {
        "labels": dict(labels),
        "status": str(Status.FIRING),
        "startsAt": "2000-01-01T00:00:00Z",
    }
    return isinstance(read(raw), Alert)


def _are_same(listed: list[dict[str, Any]], matchers: Mapping[str, str]) -> bool:
    exact = {
        matcher["name"]: matcher["value"]
        for matcher in listed
        if not matcher.get("isRegex") and matcher.get("isEqual", True)
    }
    return len(listed) == len(matchers) and exact == dict(matchers)
