"""Actions, events and numbers as DynamoDB items, and back."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from chalicelib.autoheal.actions import Action, FollowUp, State
from chalicelib.autoheal.audit import RETENTION_DAYS, AuditEvent, Kind
from chalicelib.shared.clock import rfc3339
from chalicelib.telemetry.increments import Increments
from chalicelib.telemetry.series import Series

AUDIT_SHARDS = 4
TOTALS_SHARDS = 8
RETENTION = timedelta(days=RETENTION_DAYS)
ALL = "action"
MOMENTS = ("created_at", "changed_at", "next_check", "verify_until")
PLAIN = (
    "episode",
    "attempt",
    "alertname",
    "labels",
    "target",
    "command",
    "parameters",
    "version",
    "command_id",
    "slot",
    "chaos",
    "dry_run",
    "trial",
    "approved_by",
    "detail",
    "rc",
)
"""Fields of an action that are stored as they are."""

Item = dict[str, Any]


def text(value: object) -> Item:
    """Return a string attribute."""
    return {"S": str(value)}


def number(value: float) -> Item:
    """Return a number attribute; a fraction has nine digits."""
    return {"N": str(value) if isinstance(value, int) else f"{value:.9f}"}


def at(moment: datetime) -> Item:
    """Return a moment as Unix seconds."""
    return {"N": f"{moment.timestamp():.6f}"}


def moment_of(attribute: Item | None) -> datetime | None:
    """Return the moment that Unix seconds name."""
    return datetime.fromtimestamp(float(attribute["N"]), UTC) if attribute else None


def action_item(action: Action) -> Item:
    """Return `action` as an item; it is in the index `due` only while it has a next check."""
    body = {name: getattr(action, name) for name in PLAIN}
    body |= {name: rfc3339(moment) for name in MOMENTS if (moment := getattr(action, name))}
    body |= {
        "labels": dict(action.labels),
        "parameters": dict(action.parameters),
        "follow_up": str(action.follow_up),
    }
    item = {
        "action_id": text(action.id),
        "state": text(action.state),
        "version": number(action.version),
        "all_of": text(ALL),
        "created_at": text(f"{rfc3339(action.created_at)}#{action.id}"),
        "expires_at": number(int((action.created_at + RETENTION).timestamp())),
        "body": text(json.dumps(body)),
    }
    return item | ({"next_check": at(action.next_check)} if action.next_check else {})


def read_action(item: Item) -> Action:
    """Return the action that `item` holds."""
    body = json.loads(item["body"]["S"])
    moments = {name: datetime.fromisoformat(body[name]) for name in MOMENTS if name in body}
    rest: dict[str, Any] = {**{name: body[name] for name in PLAIN}, **moments}
    return Action(
        id=UUID(item["action_id"]["S"]),
        state=State(item["state"]["S"]),
        follow_up=FollowUp(body["follow_up"]),
        **rest,
    )


def event_item(event: AuditEvent) -> Item:
    """Return `event` as an item."""
    day = f"{event.time:%Y-%m-%d}"
    item = {
        "pk": text(f"{day}#{event.id.int % AUDIT_SHARDS}"),
        "sk": text(f"{rfc3339(event.time)}#{event.id}"),
        "kind_day": text(f"{event.kind}#{day}"),
        "details": text(json.dumps(dict(event.details))),
        "expires_at": number(int((event.time + RETENTION).timestamp())),
    }
    if event.alertname:
        item |= {
            "alertname": text(event.alertname),
            "alertname_day": text(f"{event.alertname}#{day}"),
        }
    return item


def read_event(item: Item) -> AuditEvent:
    """Return the event that `item` holds."""
    moment, _, identity = item["sk"]["S"].partition("#")
    return AuditEvent(
        time=datetime.fromisoformat(moment),
        kind=Kind(item["kind_day"]["S"].partition("#")[0]),
        alertname=item["alertname"]["S"] if "alertname" in item else "",
        details=json.loads(item["details"]["S"]),
        id=UUID(identity),
    )


def total_updates(table: str, increments: Increments, shard: int) -> list[Item]:
    """Return the writes that add `increments` to one shard of the totals."""
    return [
        _total_update(table, series, value, shard) for series, value in increments.values.items()
    ]


def _total_update(table: str, series: Series, value: float, shard: int) -> Item:
    change = "SET #v = :v" if series.latest else "ADD #v :v"
    return {
        "Update": {
            "TableName": table,
            "Key": {"pk": text(f"shard#{shard % TOTALS_SHARDS}"), "sk": text(series.key)},
            "UpdateExpression": change,
            "ExpressionAttributeNames": {"#v": "value"},
            "ExpressionAttributeValues": {":v": number(value)},
        }
    }
