"""The inbox of a consumer: it acts once on each event, though a record may arrive twice.

The relay delivers at least once, and a stream's events may arrive over several topics. So
an event is identified by its stream and its sequence number (and by its id), not by the
highest number seen. `admit` is called in the same transaction as the consumer's own effect:
both are committed or neither, and a record that arrives again is dropped.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from chalicelib.outbox import headers as header_names
from chalicelib.shared.errors import FieldError, Invalid


@dataclass(frozen=True, slots=True)
class Receipt:
    """What identifies an event: its stream, its number in the stream, and its id."""

    stream_key: str
    stream_seq: int
    event_id: UUID

    @classmethod
    def read(cls, key: bytes | None, headers: Iterable[tuple[str, bytes]]) -> "Receipt":
        """Read a record's key and headers.

        Raises:
            errors.Invalid: it is not a record of this product; names the field.
        """
        values = dict(headers)
        field = header_names.EVENT_ID
        try:
            event_id = UUID(values[header_names.EVENT_ID].decode())
            field = header_names.STREAM_SEQ
            stream_seq = int(values[header_names.STREAM_SEQ])
            field = "key"
            stream_key = key.decode() if key else values["key"].decode()
        except (KeyError, ValueError):
            raise Invalid(
                f"This is not an AetherLink event: {field} is missing or not valid.",
                code="foreign-record",
                errors=[FieldError(field, "is missing or not valid")],
            ) from None
        return cls(stream_key, stream_seq, event_id)


class Inbox(Protocol):
    """The events that one consumer has processed."""

    def admit(self, receipt: Receipt) -> bool:
        """Record `receipt` in the caller's transaction; return False if it is recorded already."""
        ...


def once(inbox: Inbox, receipt: Receipt, effect: Callable[[], None]) -> bool:
    """Run `effect` unless the event was processed before; return whether it ran.

    The caller commits the receipt and the effect together.
    """
    if not inbox.admit(receipt):
        return False
    effect()
    return True
