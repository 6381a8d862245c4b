"""Alerts as Alertmanager sends them (webhook, version 4) and lists them (API v2).

Nothing in them is trusted, and unknown fields are ignored. An alert that cannot be read does
not affect the others of its delivery.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from chalicelib.shared import schema
from chalicelib.shared.clock import rfc3339
from chalicelib.shared.errors import FieldError, Invalid

MAX_DELIVERY = 2_000_000
"""Bytes of one webhook call."""
MAX_ALERTS = 2_000
MAX_LABELS = 64
MAX_LABEL_LENGTH = 1_024
MAX_NAME_LENGTH = 128
LABEL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
FINGERPRINT = re.compile(r"[0-9a-f]{16}")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d)(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
ALERTNAME = "alertname"
OPT_IN_ANNOTATION = "autoheal"
"""An alert is healed only if this annotation is `"true"`."""


class Status(StrEnum):
    """Whether an alert is firing."""

    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert. `opted_in`: whether it is annotated `autoheal: "true"`."""

    name: str
    status: Status
    labels: Mapping[str, str]
    opted_in: bool
    starts_at: datetime
    fingerprint: str

    @property
    def episode(self) -> str:
        """Return the id of this firing of the alert; a later firing is another episode."""
        return f"{self.fingerprint}#{rfc3339(self.starts_at)}"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An alert that is refused. `name` and `problem` are safe to show."""

    name: str
    problem: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook call. `truncated` counts the alerts of the group that it leaves out."""

    alerts: tuple[Alert | Unreadable, ...]
    truncated: int
    group: Mapping[str, str]


def parse_delivery(body: bytes) -> Delivery:
    """Read a webhook call.

    Raises:
        errors.Invalid: the body is not a payload of Alertmanager's.
    """
    payload = schema.read(body)
    if not isinstance(payload, dict):
        raise _wrong("(body)", "must be an object")
    listed = payload.get("alerts")
    if not isinstance(listed, list):
        raise _wrong("alerts", "must be a list")
    if len(listed) > MAX_ALERTS:
        raise _wrong("alerts", f"must have at most {MAX_ALERTS} alerts")
    truncated = payload.get("truncatedAlerts", 0)
    if not isinstance(truncated, int) or isinstance(truncated, bool) or truncated < 0:
        raise _wrong("truncatedAlerts", "must be 0 or more")
    group = payload.get("groupLabels")
    if not isinstance(group, dict):
        group = {}
    labels = {name: value for name, value in group.items() if _is_label(name, value)}
    return Delivery(tuple(read(raw) for raw in listed), truncated, labels)


def read(raw: Any) -> Alert | Unreadable:
    """Return one alert of a webhook call or of the API."""
    labels = raw.get("labels") if isinstance(raw, dict) else None
    if not isinstance(raw, dict) or not isinstance(labels, dict):
        return Unreadable("", "has no labels")
    name = labels.get(ALERTNAME)
    if not isinstance(name, str) or not name or len(name) > MAX_NAME_LENGTH or CONTROL.search(name):
        return Unreadable("", f"has no alertname of at most {MAX_NAME_LENGTH} plain characters")
    if len(labels) > MAX_LABELS or not all(_is_label(key, value) for key, value in labels.items()):
        return Unreadable(
            name,
            f"has invalid labels: more than {MAX_LABELS}, too long, or not plain text",
        )
    status = _status(raw.get("status"))
    starts_at = _moment(raw.get("startsAt"))
    if status is None or starts_at is None:
        return Unreadable(name, "has no status or no startsAt")
    annotations = raw.get("annotations")
    opted_in = isinstance(annotations, dict) and annotations.get(OPT_IN_ANNOTATION) == "true"
    return Alert(
        name,
        status,
        labels,
        opted_in,
        starts_at,
        _fingerprint(raw.get("fingerprint"), labels),
    )


def _is_label(name: object, value: object) -> bool:
    return (
        isinstance(name, str)
        and isinstance(value, str)
        and LABEL_NAME.fullmatch(name) is not None
        and len(name) <= MAX_NAME_LENGTH
        and len(value) <= MAX_LABEL_LENGTH
        and CONTROL.search(value) is None
    )


def _status(value: object) -> Status | None:
    if isinstance(value, dict):  # the API lists firing alerts only; they may be silenced
        return Status.FIRING if isinstance(value.get("state"), str) else None
    return Status(value) if isinstance(value, str) and value in set(Status) else None


def _moment(value: object) -> datetime | None:
    """Return the time in milliseconds: the webhook has nanoseconds, the API does not."""
    match = MOMENT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    try:
        whole, fraction, offset = match.groups()
        text = f"{whole.upper()}{(fraction or '.0')[:4]}{offset.upper()}"
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _fingerprint(value: object, labels: Mapping[str, str]) -> str:
    """Return Alertmanager's fingerprint, or our own where there is none."""
    if isinstance(value, str) and FINGERPRINT.fullmatch(value):
        return value
    return hashlib.sha256(json.dumps(sorted(labels.items())).encode()).hexdigest()[:16]


def _wrong(field: str, reason: str) -> Invalid:
    return Invalid(
        f"{field} {reason}.", code="validation-failed", errors=[FieldError(field, reason)]
    )
