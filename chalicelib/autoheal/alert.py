"""Alerts, as Alertmanager sends them (webhook, version 4) and lists them (API v2). Nothing in them is trusted.

Unknown fields are tolerated. One alert that cannot be read does not hold up the others of
its delivery.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

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
"""The annotation that asks for healing."""


class Status(StrEnum):
    """Whether an alert fires."""

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
        """Return what names this firing of the alert: another one, later, is another episode."""
        return f"{self.fingerprint}#{rfc3339(self.starts_at)}"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An alert that is refused; `name` is safe to show, `problem` says what is wrong and repeats nothing."""

    name: str
    problem: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook call. `truncated` is how many alerts of the group it leaves out."""

    alerts: tuple[Alert | Unreadable, ...]
    truncated: int
    group: Mapping[str, str]


def parse_delivery(body: bytes) -> Delivery:
    """Read a webhook call.

    Raises:
        errors.Invalid: it is no payload of Alertmanager's at all.
    """
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        raise Invalid("The body is not valid JSON.", code="invalid-json") from None
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
    known = {k: v for k, v in group.items() if _label(k, v)} if isinstance(group, dict) else {}
    return Delivery(tuple(read(one) for one in listed), truncated, known)


def read(raw: Any) -> Alert | Unreadable:
    """Read one alert, of a webhook call or of the API."""
    labels = raw.get("labels") if isinstance(raw, dict) else None
    if not isinstance(raw, dict) or not isinstance(labels, dict):
        return Unreadable("", "has no labels")
    name = labels.get(ALERTNAME)
    if not isinstance(name, str) or not name or len(name) > MAX_NAME_LENGTH or CONTROL.search(name):
        return Unreadable("", f"has no alertname of at most {MAX_NAME_LENGTH} plain characters")
    if len(labels) > MAX_LABELS or not all(_label(key, value) for key, value in labels.items()):
        return Unreadable(
            name,
            f"has labels that are none: more than {MAX_LABELS}, too long, or not plain text",
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


def _label(name: object, value: object) -> bool:
    return (
        isinstance(name, str)
        and isinstance(value, str)
        and LABEL_NAME.fullmatch(name) is not None
        and len(name) <= MAX_NAME_LENGTH
        and len(value) <= MAX_LABEL_LENGTH
        and CONTROL.search(value) is None
    )


def _status(stated: object) -> Status | None:
    if isinstance(stated, dict):  # the API's: silenced and inhibited alerts fire too
        return Status.FIRING if isinstance(stated.get("state"), str) else None
    return Status(stated) if isinstance(stated, str) and stated in set(Status) else None


def _moment(stated: object) -> datetime | None:
    """Return the time to the millisecond: the webhook states nanoseconds, the API of the same alert does not."""
    match = MOMENT.fullmatch(stated) if isinstance(stated, str) else None
    if match is None:
        return None
    try:
        whole, fraction, offset = match.groups()
        text = f"{whole.upper()}{(fraction or '.0')[:4]}{offset.upper()}"
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _fingerprint(stated: object, labels: Mapping[str, str]) -> str:
    """Return Alertmanager's fingerprint, or one of ours where there is none."""
    if isinstance(stated, str) and FINGERPRINT.fullmatch(stated):
        return stated
    return hashlib.sha256(json.dumps(sorted(labels.items())).encode()).hexdigest()[:16]


def _wrong(field: str, reason: str) -> Invalid:
    return Invalid(
        f"{field} {reason}.", code="validation-failed", errors=[FieldError(field, reason)]
    )
