"""A fake of the escalation."""

from collections.abc import Mapping
from typing import Any

from chalicelib.shared.errors import Unavailable


class FakeEscalation:
    """An `Escalation` that remembers."""

    def __init__(self) -> None:
        self.notices: list[tuple[str, Mapping[str, Any]]] = []
        self.down = False

    def notify(self, subject: str, facts: Mapping[str, Any]) -> None:
        if self.down:
            raise Unavailable("down", cause="test")
        self.notices.append((subject, facts))
