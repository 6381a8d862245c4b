"""One fake for each of the healer's ports. They pass the same contract suites as the real adapters."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from chalicelib.autoheal.actions import Action
from chalicelib.autoheal.ports import CommandState, CommandStatus, SendUnsure
from chalicelib.shared.clock import Clock
from chalicelib.shared.errors import Unavailable


@dataclass
class _Command:
    id: str
    comment: str
    sent: datetime
    status: CommandStatus
    document: str
    parameters: Mapping[str, str]


class FakeCommander:
    """A `Commander` in memory. `outcome` is how commands end; `loses_answer` takes the command and answers nothing."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.sent: list[_Command] = []
        self.outcome = CommandStatus(CommandState.SUCCEEDED, 0)
        self.loses_answer = self.takes_nothing = self.down = False
        self.refuses: Exception | None = None
        self.cancelled: list[str] = []

    def send(self, action: Action, *, document: str, version: str, timeout_seconds: int) -> str:
        if self.refuses:
            raise self.refuses
        if self.takes_nothing:
            raise SendUnsure("the connection broke")
        made = _Command(
            str(uuid4()),
            action.comment,
            self.clock.now(),
            self.outcome,
            f"{document}:{version}",
            action.parameters,
        )
        self.sent.append(made)
        if self.loses_answer:
            raise SendUnsure("the connection broke")
        return made.id

    def status(self, command_id: str) -> CommandStatus:
        if self.down:
            raise Unavailable("away", cause="test")
        return next(
            (one.status for one in self.sent if one.id == command_id),
            CommandStatus(CommandState.MISSING),
        )

    def find(self, comment: str, since: datetime) -> str | None:
        if self.down:
            raise Unavailable("away", cause="test")
        return next(
            (one.id for one in self.sent if one.comment == comment and one.sent >= since),
            None,
        )

    def cancel(self, command_id: str) -> None:
        self.cancelled.append(command_id)
