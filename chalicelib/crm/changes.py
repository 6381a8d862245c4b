"""The events of creations, changes and deletions, for any kind of entity."""

from datetime import datetime

from chalicelib.crm.entities import kind_of
from chalicelib.crm.events import Event
from chalicelib.crm.model import Entity

BOOKKEEPING = ("version", "updated_at")
"""Fields that every change changes, so that no event lists them."""


def created(entity: Entity) -> Event:
    """Return the event of a new `entity`."""
    return _event(kind_of(entity).created, entity)


def updated(before: Entity, after: Entity) -> Event:
    """Return the event of a change; it names the fields that differ."""
    kind = kind_of(after)
    changed = [
        kind.wire_name(name)
        for name in kind.model.model_fields
        if name not in BOOKKEEPING and getattr(before, name) != getattr(after, name)
    ]
    return _event(kind.updated, after, changed=changed)


def deleted(entity: Entity, now: datetime) -> Event:
    """Return the event of a deletion at `now`; its version is one past the last."""
    return _event(kind_of(entity).deleted, entity.changed(now))


def _event(event_type: type[Event], entity: Entity, **extra: object) -> Event:
    """Return an event with those fields of `entity` that its type has."""
    state = {
        name: getattr(entity, name)
        for name in event_type.model_fields
        if name in type(entity).model_fields
    }
    return event_type(
        **state,
        **{f"{event_type.aggregate}_id": entity.id},
        occurred_at=entity.updated_at,
        **extra,
    )
