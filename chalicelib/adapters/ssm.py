"""Running documents on machines through Systems Manager.

SendCommand has no idempotency token, so the client never retries by itself: whether a broken
call was accepted is found out by the command's comment. Statuses are eventually consistent: a
command that is not listed is MISSING.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
)

from chalicelib.autoheal.actions import Action
from chalicelib.autoheal.ports import CommandState, CommandStatus, SendRefused, SendUnsure
from chalicelib.autoheal.runbooks import deployed_name
from chalicelib.shared.errors import Unavailable

STATES: Final = {
    "Success": CommandState.SUCCEEDED,
    "Failed": CommandState.FAILED,
    "TimedOut": CommandState.TIMED_OUT,
    "Cancelled": CommandState.CANCELLED,
    "Cancelling": CommandState.RUNNING,
}
NO_TARGETS_DETAILS: Final = {"NoInstancesInTag", "Undeliverable", "Terminated"}
MIN_DELIVERY_SECONDS: Final = 30
"""The lowest timeout that SendCommand accepts."""
MAX_PAGES: Final = 20
MAX_OUTPUT_LENGTH: Final = 300
PAGE_SIZE: Final = 50
NOT_SENT: Final = (EndpointConnectionError, ConnectTimeoutError)
"""Errors after which the request was certainly not sent."""


def client(*, timeout_seconds: float) -> Any:
    """Return an SSM client that makes no retries and waits at most `timeout_seconds`."""
    limits = Config(
        connect_timeout=timeout_seconds,
        read_timeout=timeout_seconds,
        retries={"total_max_attempts": 1},
    )
    return boto3.client("ssm", config=limits)


class SsmCommander:
    """A `Commander`."""

    def __init__(self, client: Callable[[], Any], *, stage: str) -> None:
        """Use what `client` returns, which must not retry; it is called when first needed."""
        self._client = cache(client)
        self._stage = stage

    def send(self, action: Action, *, document: str, version: str, timeout_seconds: int) -> str:
        """Send the command to the target's machines, one after the other, until one fails."""
        tag, _, value = action.target.partition("=")
        try:
            response = self._client().send_command(
                DocumentName=deployed_name(document, self._stage),
                DocumentVersion=version,
                Targets=[{"Key": f"tag:{tag}", "Values": [value]}],
                Parameters={name: [text] for name, text in action.parameters.items()},
                Comment=action.comment,
                TimeoutSeconds=max(MIN_DELIVERY_SECONDS, timeout_seconds),
                MaxConcurrency="1",
                MaxErrors="0",
            )
        except ClientError as problem:
            error: Any = problem.response
            status = error.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
            if status < 500:
                raise SendRefused(error["Error"]["Code"]) from problem
            raise SendUnsure(str(problem)) from problem
        except NOT_SENT as problem:
            raise SendRefused(type(problem).__name__) from problem
        except BotoCoreError as problem:
            raise SendUnsure(type(problem).__name__) from problem
        return str(response["Command"]["CommandId"])

    def status(self, command_id: str) -> CommandStatus:
        """Return the command's status."""
        listed = self._ask("list_commands", CommandId=command_id).get("Commands", [])
        if not listed:
            return CommandStatus(CommandState.MISSING)
        command = listed[0]
        state = STATES.get(command["Status"], CommandState.RUNNING)
        if state is CommandState.RUNNING:
            return CommandStatus(state)
        if command.get("TargetCount", 0) == 0 or command.get("StatusDetails") in NO_TARGETS_DETAILS:
            return CommandStatus(CommandState.NO_TARGETS, detail="no machine has the target's tag")
        return self._ended(state, command_id)

    def find(self, comment: str, since: datetime) -> str | None:
        """Return the id of the command with `comment`, sent after `since`, or None."""
        call: dict[str, Any] = {
            "MaxResults": PAGE_SIZE,
            "Filters": [{"key": "InvokedAfter", "value": f"{since:%Y-%m-%dT%H:%M:%SZ}"}],
        }
        for _ in range(MAX_PAGES):
            page = self._ask("list_commands", **call)
            for command in page.get("Commands", []):
                if command.get("Comment") == comment:
                    return str(command["CommandId"])
            if not page.get("NextToken"):
                return None
            call["NextToken"] = page["NextToken"]
        raise Unavailable(
            "There are too many Systems Manager commands to search.", cause=f"looking for {comment}"
        )

    def cancel(self, command_id: str) -> None:
        """Request that the command is cancelled."""
        self._ask("cancel_command", CommandId=command_id)

    def _ended(self, state: CommandState, command_id: str) -> CommandStatus:
        """Return the exit code and output of the machine whose exit code is furthest from 0."""
        response = self._ask("list_command_invocations", CommandId=command_id, Details=True)
        plugins = [
            plugin
            for invocation in response.get("CommandInvocations", [])
            for plugin in invocation.get("CommandPlugins", [])
        ]
        worst = max(plugins, key=lambda plugin: abs(_exit_code(plugin)), default=None)
        if worst is None:
            return CommandStatus(state)
        output = str(worst.get("Output") or "").strip()[-MAX_OUTPUT_LENGTH:]
        return CommandStatus(state, _exit_code(worst), output)

    def _ask(self, operation: str, **call: Any) -> dict[str, Any]:
        try:
            return dict(getattr(self._client(), operation)(**call))
        except ClientError as problem:
            response: Any = problem.response
            if response["Error"]["Code"] in ("InvalidCommandId", "InvocationDoesNotExist"):
                return {}
            raise _unavailable(problem) from problem
        except BotoCoreError as problem:
            raise _unavailable(problem) from problem


def _exit_code(plugin: Mapping[str, Any]) -> int:
    return int(plugin.get("ResponseCode", 0))


def _unavailable(problem: Exception) -> Unavailable:
    return Unavailable(
        "Systems Manager cannot be reached.",
        code="ssm-unavailable",
        cause=f"{type(problem).__name__}: {problem}"[:300],
    )
