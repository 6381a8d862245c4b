"""Acknowledging an alert: one silence, exactly as wide as the alert, for a while, by a named person.

The server builds the matchers: the alert's name and the labels that say where, each exact.
Twice is once: the first one reserves the place for the silence's id; whoever comes later
gets that id, until the silence has ended.
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
RESERVED: Final = timedelta(seconds=20)
WAIT_SECONDS: Final = 3.0
PAUSE_SECONDS: Final = 0.1
DURATION: Final = re.compile(
    r"(?:(\d{1,2})d)?(?:(\d{1,4})h)?(?:(\d{1,5})m)?(?:(\d{1,6})s)?", re.ASCII
)
Comment = Annotated[str, Text(500, blank=True)]
PLAIN: Final = r"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$"
Label = Annotated[str, Text(MAX_LABEL_LENGTH, blank=True)]
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
    """Which alert, by its labels or its fingerprint; for how long (`30m`, `2h`, `1h30m`, at most `24h`); why."""

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
    """A silence that is there, or (`silence_id` empty) that somebody is about to make."""

    silence_id: str


class SilenceRegistry(Protocol):
    """Who made which silence. Raises `errors.Unavailable`."""

    def reserve(self, key: str, owner: str, now: datetime, until: datetime) -> HeldSilence | None:
        """Take the place `key` until `until`; None when it is taken now, else what is in it."""
        ...

    def keep(self, key: str, owner: str, silence_id: str, ends: datetime) -> bool:
        """Put the id into a place that `owner` took; return whether it was still theirs."""
        ...

    def release(self, key: str, owner: str) -> None:
        """Let a place go that `owner` took."""
        ...

    def forget(self, silence_id: str) -> None:
        """Empty the place that holds `silence_id`."""
        ...


def parse_duration(said: str) -> timedelta:
    """Return the time that `said` names, e.g. `30m`, `2h`, `1h30m`.

    Raises:
        errors.Invalid: it names none, or more than 24 hours.
    """
    match = DURATION.fullmatch(said.strip()) if said.strip() else None
    days, hours, minutes, seconds = (
        (int(part or 0) for part in match.groups()) if match else (0, 0, 0, 0)
    )
    found = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if not timedelta(0) < found <= MAX_DURATION:
        reason = "must be a duration such as 30m, 2h or 1h30m, at most 24h"
        raise Invalid(
            f"duration {reason}.",
            code="bad-duration",
            errors=[FieldError("duration", reason)],
        )
    return found


def matchers_of(labels: Mapping[str, str]) -> dict[str, str]:
    """Return what a silence of the alert with `labels` matches."""
    return {name: labels[name] for name in IDENTITY if labels.get(name)}


class Acknowledger:
    """Makes silences, and ends them."""

    def __init__(self, dependencies: Dependencies, silences: SilenceRegistry) -> None:
        """Work with `dependencies`, and note who made what in `silences`."""
        self._dependencies = dependencies
        self._silences = silences

    def acknowledge(self, wanted: Acknowledgement, by: str) -> str:
        """Silence one alert; return the silence's id, the same for the same alert while it lasts.

        Raises:
            errors.Invalid: neither labels nor a fingerprint, or a bad duration.
            errors.NotFound: no alert with this fingerprint fires.
            errors.Conflict: somebody else is doing it just now.
            errors.BadGateway: Alertmanager does not answer.
        """
        dependencies = self._dependencies
        lasts = parse_duration(wanted.duration)
        matchers = matchers_of(self._labels(wanted))
        key = silence_key(matchers)
        owner = str(uuid7())
        held = self._reserve(key, owner)
        if held is not None:
            return held.silence_id
        try:
            now = dependencies.clock.now()
            silence_id = self._present(matchers) or dependencies.alerts.silence(
                matchers, now, now + lasts, by, wanted.comment or f"acknowledged by {by}"
            )
        except BaseException:
            self._silences.release(key, owner)
            raise
        self._silences.keep(key, owner, silence_id, now + lasts)
        facts = {
            "by": by,
            "silence_id": silence_id,
            "matchers": matchers,
            "until": rfc3339(now + lasts),
        }
        self._record(Kind.ACK, matchers[ALERTNAME], {**facts, "comment": wanted.comment})
        return silence_id

    def end(self, silence_id: UUID, by: str) -> None:
        """End a silence. Raises `errors.NotFound` and `errors.BadGateway`."""
        self._dependencies.alerts.expire(str(silence_id))
        self._silences.forget(str(silence_id))
        self._record(Kind.SILENCE_ENDED, "", {"by": by, "silence_id": str(silence_id)})

    def _labels(self, wanted: Acknowledgement) -> Mapping[str, str]:
        if wanted.labels and wanted.labels.get(ALERTNAME) and _plain(wanted.labels):
            return wanted.labels
        if wanted.labels is None and wanted.fingerprint:
            for one in self._dependencies.alerts.alerts({}):
                if one.fingerprint == wanted.fingerprint:
                    return one.labels
            raise NotFound("No alert with this fingerprint is firing.")
        reason = "must identify one alert: either its labels, with alertname, or its fingerprint"
        raise Invalid(
            f"labels {reason}.",
            code="validation-failed",
            errors=[FieldError("labels", reason)],
        )

    def _reserve(self, key: str, owner: str) -> HeldSilence | None:
        """Take the place, or wait a little for whoever is making the silence."""
        clock = self._dependencies.clock
        deadline = clock.monotonic() + WAIT_SECONDS
        while True:
            held = self._silences.reserve(key, owner, clock.now(), clock.now() + RESERVED)
            if held is None or held.silence_id:
                return held
            if clock.monotonic() > deadline:
                raise Conflict(
                    "This alert is being acknowledged by another request. Try again soon.",
                    code="request-in-progress",
                )
            clock.sleep(PAUSE_SECONDS)

    def _present(self, matchers: Mapping[str, str]) -> str | None:
        """Return a silence of exactly these matchers: one that was made, and whose maker died before noting it."""
        for one in self._dependencies.alerts.silences():
            if one.get("status", {}).get("state") == "active" and _same(
                one.get("matchers", []), matchers
            ):
                return str(one["id"])
        return None

    def _record(self, kind: Kind, alertname: str, facts: Mapping[str, Any]) -> None:
        event = AuditEvent(self._dependencies.clock.now(), kind, alertname, facts)
        self._dependencies.record([event], count_event(Increments(), event))


def silence_key(matchers: Mapping[str, str]) -> str:
    """Return what names the one silence of these matchers."""
    return hashlib.sha256(json.dumps(sorted(matchers.items())).encode()).hexdigest()


def _plain(labels: Mapping[str, str]) -> bool:
    return isinstance(
        read(
            {
                "labels": dict(labels),
                "status": str(Status.FIRING),
                "startsAt": rfc3339(_EPOCH),
            }
        ),
        Alert,
    )


def _same(listed: Any, matchers: Mapping[str, str]) -> bool:
    exact = {
        one["name"]: one["value"]
        for one in listed
        if not one.get("isRegex") and one.get("isEqual", True)
    }
    return len(listed) == len(matchers) and exact == dict(matchers)


_EPOCH = datetime.fromisoformat("2000-01-01T00:00:00+00:00")
