"""Running documents on machines through Systems Manager.

SendCommand has no idempotency token, so the client never repeats a call by itself: whether
a call that broke was taken is found out by the command's comment. Statuses are eventually
consistent: what is not to be seen is MISSING.
"""

from collections.abc import Callable
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
from chalicelib.shared.errors import Unavailable

STATES: Final = {
    "Success": CommandState.SUCCEEDED,
    "Failed": CommandState.FAILED,
    "TimedOut": CommandState.TIMED_OUT,
    "Cancelled": CommandState.CANCELLED,
    "Cancelling": CommandState.RUNNING,
}
NOWHERE: Final = {"NoInstancesInTag", "Undeliverable", "Terminated"}
SHORTEST_DELIVERY_SECONDS: Final = 30
"""The least that SendCommand takes."""
MAX_PAGES: Final = 20
PAGE: Final = 50
NOT_SENT: Final = (EndpointConnectionError, ConnectTimeoutError)
"""The connection was never made."""


def client(*, timeout_seconds: float) -> Any:
    """Return an SSM client that asks once and waits no longer than `timeout_seconds`."""
    limits = Config(
        connect_timeout=timeout_seconds,
        read_timeout=timeout_seconds,
        retries={"total_max_attempts": 1},
    )
    return boto3.client("ssm", config=limits)


class SsmCommander:
    """A `Commander`."""

    def __init__(self, client: Callable[[], Any]) -> None:
        """Use a client that does not retry; it is made when it is first needed."""
        self._client = cache(client)

    def send(self, action: Action, *, document: str, version: str, timeout_seconds: int) -> str:
        """Send the command to the machines of the action's target, one after the other, none after a failure."""
        tag, _, value = action.target.partition("=")
        try:
            sent = self._client().send_command(
                DocumentName=document,
                DocumentVersion=version,
                Targets=[{"Key": f"tag:{tag}", "Values": [value]}],
                Parameters={name: [text] for name, text in action.parameters.items()},
                Comment=action.comment,
                TimeoutSeconds=max(SHORTEST_DELIVERY_SECONDS, timeout_seconds),
                MaxConcurrency="1",
                MaxErrors="0",
            )
        except ClientError as problem:
            response: Any = problem.response
            status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
            if status < 500:
                raise SendRefused(response["Error"]["Code"]) from problem
            raise SendUnsure(str(problem)) from problem
        except NOT_SENT as problem:
            raise SendRefused(type(problem).__name__) from problem
        except BotoCoreError as problem:
            raise SendUnsure(type(problem).__name__) from problem
        return str(sent["Command"]["CommandId"])

    def status(self, command_id: str) -> CommandStatus:
        """Return how the command stands."""
        listed = self._ask("list_commands", CommandId=command_id).get("Commands", [])
        if not listed:
            return CommandStatus(CommandState.MISSING)
        command = listed[0]
        state = STATES.get(command["Status"], CommandState.RUNNING)
        if state is CommandState.RUNNING:
            return CommandStatus(state)
        if command.get("TargetCount", 0) == 0 or command.get("StatusDetails") in NOWHERE:
            return CommandStatus(CommandState.NO_TARGETS, detail="no machine has the target's tag")
        return self._told(state, command_id)

    def find(self, comment: str, since: datetime) -> str | None:
        """Return the command that has `comment`."""
        call: dict[str, Any] = {
            "MaxResults": PAGE,
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
        """Ask for an end."""
        self._ask("cancel_command", CommandId=command_id)

    def _told(self, state: CommandState, command_id: str) -> CommandStatus:
        """Return what the machines said; the worst of several."""
        found = self._ask("list_command_invocations", CommandId=command_id, Details=True)
        plugins = [
            one
            for each in found.get("CommandInvocations", [])
            for one in each.get("CommandPlugins", [])
        ]
        worst = max(plugins, key=lambda one: abs(int(one.get("ResponseCode", 0))), default=None)
        if worst is None:
            return CommandStatus(state)
        said = str(worst.get("Output") or "").strip()[-300:]
        return CommandStatus(state, int(worst.get("ResponseCode", 0)), said)

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


def _unavailable(problem: Exception) -> Unavailable:
    return Unavailable(
        "Systems Manager cannot be reached.",
        code="ssm-unavailable",
        cause=f"{type(problem).__name__}: {problem}"[:300],
    )
