"""Leases of idempotency keys in DynamoDB: one conditional write to claim, one to finish or let go. And counters."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.errors import Unavailable
from chalicelib.messaging.idempotency import KEPT_SECONDS, Claim, Claimed, Finished, OnceKey, Running, StoredAnswer

# A record is there to take when there is none, when its lease has ended, or when it is past its time: DynamoDB
# deletes late, so expiry is compared here.
FREE = "attribute_not_exists(pk) OR (#state = :running AND lease_until <= :now) OR expires_at <= :now"
MINE = "#owner = :me AND #state = :running"
RUNNING, DONE = "running", "done"
LEFT_ALONE_SECONDS = 2.0
"""How long a store that was away is not asked: each request would wait for it, and the ledger decides anyway."""
ALIAS_STATE, ALIAS_OWNER = {"#state": "state"}, {"#state": "state", "#owner": "owner"}


def client(*, timeout_seconds: float) -> Any:
    """Return a DynamoDB client that gives up after `timeout_seconds` and one retry."""
    limits = Config(
        connect_timeout=timeout_seconds,
        read_timeout=timeout_seconds,
        retries={"total_max_attempts": 2, "mode": "standard"},
    )
    return boto3.client("dynamodb", config=limits)


class _Table:
    """A table that is left alone for a while after trouble."""

    def __init__(self, dynamodb: Any, table: str) -> None:
        """Use `table`, whose key is `pk` and whose TTL attribute is `expires_at`."""
        self._dynamodb, self._table = dynamodb, table
        self._away_until = float("-inf")

    @contextmanager
    def _telling_apart(self) -> Iterator[None]:
        """Tell a condition that did not hold from a store that is away, and leave the latter alone for a while."""
        if time.monotonic() < self._away_until:
            raise _away("left alone after trouble")
        try:
            yield
        except ClientError as problem:
            if problem.response["Error"]["Code"] == "ConditionalCheckFailedException":
                item: Any = problem.response.get("Item")
                raise _Refused(item or {}) from None
            self._away_until = time.monotonic() + LEFT_ALONE_SECONDS
            raise _away(problem) from problem
        except BotoCoreError as problem:
            self._away_until = time.monotonic() + LEFT_ALONE_SECONDS
            raise _away(problem) from problem


class DynamoCounters(_Table):
    """`Counters`, beside the idempotency keys."""

    def add(self, key: str, *, expires_at: int) -> int:
        """Add one, in one call."""
        with self._telling_apart():
            said = self._dynamodb.update_item(
                TableName=self._table,
                Key={"pk": {"S": key}},
                UpdateExpression="SET expires_at = :expires ADD times :one",
                ExpressionAttributeValues={":expires": {"N": str(expires_at)}, ":one": {"N": "1"}},
                ReturnValues="UPDATED_NEW",
            )
        return int(said["Attributes"]["times"]["N"])


class DynamoLeaseStore(_Table):
    """A `LeaseStore`. Times are Unix seconds of this machine: they bound leases, they do not order anything."""

    def claim(self, key: OnceKey, owner: UUID, *, lease_seconds: float) -> Claim:
        """Claim `key`; one call, whatever the outcome."""
        now = time.time()
        item = {
            "pk": {"S": key.partition_key},
            "state": {"S": RUNNING},
            "owner": {"S": str(owner)},
            "request_hash": {"S": key.request_hash},
            "lease_until": {"N": f"{now + lease_seconds:.3f}"},
            "expires_at": {"N": str(int(now) + KEPT_SECONDS)},
        }
        try:
            with self._telling_apart():
                self._dynamodb.put_item(
                    TableName=self._table,
                    Item=item,
                    ConditionExpression=FREE,
                    ExpressionAttributeNames=ALIAS_STATE,
                    ExpressionAttributeValues={":running": {"S": RUNNING}, ":now": {"N": f"{now:.3f}"}},
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            return Claimed()
        except _Refused as refused:
            return _read(refused.item, now)

    def finish(self, key: OnceKey, owner: UUID, answer: StoredAnswer | None) -> bool:
        """Keep the answer, or only that the ledger has it, if the lease is still `owner`'s."""
        names = dict(ALIAS_OWNER)
        values: dict[str, Any] = {":done": {"S": DONE}}
        change = "SET #state = :done"
        if answer is not None:
            change += ", #status = :status, body = :body, headers = :headers"
            names["#status"] = "status"
            values |= {
                ":status": {"N": str(answer.status)},
                ":body": {"B": answer.body},
                ":headers": {"M": {name: {"S": value} for name, value in answer.headers.items()}},
            }
        return self._if_mine(key, owner, names, values, update=change + " REMOVE lease_until")

    def release(self, key: OnceKey, owner: UUID) -> bool:
        """Delete the record, if the lease is still `owner`'s."""
        return self._if_mine(key, owner, dict(ALIAS_OWNER), {})

    def _if_mine(
        self, key: OnceKey, owner: UUID, names: dict[str, str], values: dict[str, Any], update: str | None = None
    ) -> bool:
        call = {
            "TableName": self._table,
            "Key": {"pk": {"S": key.partition_key}},
            "ConditionExpression": MINE,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": {**values, ":me": {"S": str(owner)}, ":running": {"S": RUNNING}},
        }
        try:
            with self._telling_apart():
                if update is None:
                    self._dynamodb.delete_item(**call)
                else:
                    self._dynamodb.update_item(**call, UpdateExpression=update)
            return True
        except _Refused:
            return False


class _Refused(Exception):
    """A condition did not hold; `item` is what is there."""

    def __init__(self, item: dict[str, Any]) -> None:
        self.item = item


def _read(item: dict[str, Any], now: float) -> Claim:
    if item["state"]["S"] == RUNNING:
        return Running(item["request_hash"]["S"], max(0.0, float(item["lease_until"]["N"]) - now))
    if "status" not in item:
        return Finished(item["request_hash"]["S"], None)
    headers = {name: value["S"] for name, value in item["headers"]["M"].items()}
    return Finished(item["request_hash"]["S"], StoredAnswer(int(item["status"]["N"]), item["body"]["B"], headers))


def _away(problem: Exception | str) -> Unavailable:
    cause = problem if isinstance(problem, str) else f"{type(problem).__name__}: {problem}"
    return Unavailable(
        "The store of idempotency keys cannot be reached.", code="idempotency-unavailable", cause=cause[:300]
    )
