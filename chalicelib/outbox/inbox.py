"""The other end: a consumer that acts once on each event, though records may come twice.

The relay delivers at least once, and a stream's events may come over several topics. So an
event is known by its stream and its sequence number (and by its id), not by the highest
number seen. `admit` is called in the same transaction as the consumer's own effect: either
both are kept or neither, and a record that comes again is dropped.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from chalicelib.outbox import headers as header_names
from chalicelib.shared.errors import FieldError, Invalid


@dataclass(frozen=True, slots=True)
class Receipt:
    """What makes an event known: its stream, its number in it, its id."""

    stream_key: str
    stream_seq: int
    event_id: UUID

    @classmethod
    def read(cls, key: bytes | None, headers: Iterable[tuple[str, bytes]]) -> "Receipt":
        """Read a record's key and headers.

        Raises:
            errors.Invalid: it is no record of this product; names the header.
        """
        given = dict(headers)
        wrong = header_names.EVENT_ID
        try:
            event_id = UUID(given[header_names.EVENT_ID].decode())
            wrong = header_names.STREAM_SEQ
            stream_seq = int(given[header_names.STREAM_SEQ])
            wrong = "key"
            return cls(key.decode() if key else given["key"].decode(), stream_seq, event_id)
        except (KeyError, ValueError):
            raise Invalid(
                f"This is not an AetherLink event: {wrong} is missing or not valid.",
                code="foreign-record",
                errors=[FieldError(wrong, "is missing or not valid")],
            ) from None


class Inbox(Protocol):
    """What one consumer has seen."""

    def admit(self, receipt: Receipt) -> bool:
        """Note `receipt` within the caller's transaction; return False where it is known already."""
        ...


def once(inbox: Inbox, receipt: Receipt, effect: Callable[[], None]) -> bool:
    """Run `effect` unless the event was seen before; return whether it ran. The caller commits both together."""
    if not inbox.admit(receipt):
        return False
    effect()
    return True
