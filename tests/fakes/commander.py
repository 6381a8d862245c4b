"""A fake that runs no commands."""

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
    """A `Commander` in memory.

    `outcome` is how commands end. With `loses_answer`, a command is accepted without an answer.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.sent: list[_Command] = []
        self.outcome = CommandStatus(CommandState.SUCCEEDED, 0)
        self.loses_answer = False
        self.takes_nothing = False
        self.down = False
        self.refuses: Exception | None = None
        self.cancelled: list[str] = []

    def send(self, action: Action, *, document: str, version: str, timeout_seconds: int) -> str:
        if self.refuses:
            raise self.refuses
        if self.takes_nothing:
            raise SendUnsure("the connection broke")
        command = _Command(
            str(uuid4()),
            action.comment,
            self.clock.now(),
            self.outcome,
            f"{document}:{version}",
            action.parameters,
        )
        self.sent.append(command)
        if self.loses_answer:
            raise SendUnsure("the connection broke")
        return command.id

    def status(self, command_id: str) -> CommandStatus:
        if self.down:
            raise Unavailable("down", cause="test")
        return next(
            (command.status for command in self.sent if command.id == command_id),
            CommandStatus(CommandState.MISSING),
        )

    def find(self, comment: str, since: datetime) -> str | None:
        if self.down:
            raise Unavailable("down", cause="test")
        return next(
            (
                command.id
                for command in self.sent
                if command.comment == comment and command.sent >= since
            ),
            None,
        )

    def cancel(self, command_id: str) -> None:
        self.cancelled.append(command_id)
