"""Leases of idempotency keys in DynamoDB: one conditional write each to claim and to end."""

import time
from typing import Any
from uuid import UUID

from chalicelib.adapters.dynamodb.table import ConditionFailed, IdempotencyTable
from chalicelib.idempotency.key import KEPT_SECONDS, IdempotencyKey
from chalicelib.idempotency.ports import (
    Claimed,
    Finished,
    LeaseClaim,
    Running,
    StoredAnswer,
)

# A key can be claimed when it has no record, when the record's lease has ended, or when the
# record has expired: DynamoDB deletes expired items late, so the time is compared here.
FREE = (
    "attribute_not_exists(pk) OR (#state = :running AND lease_until <= :now) OR expires_at <= :now"
)
MINE = "#owner = :me AND #state = :running"
RUNNING = "running"
DONE = "done"
ALIAS_STATE = {"#state": "state"}
ALIAS_OWNER = {"#state": "state", "#owner": "owner"}


class DynamoLeaseStore(IdempotencyTable):
    """A `LeaseStore`.

    Times are Unix seconds of this machine's clock. They limit leases and order nothing.
    """

    def claim(self, key: IdempotencyKey, owner: UUID, *, lease_seconds: float) -> LeaseClaim:
        """Claim `key`; one call, whatever the result."""
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
            with self._translate_errors():
                self._dynamodb.put_item(
                    TableName=self._table,
                    Item=item,
                    ConditionExpression=FREE,
                    ExpressionAttributeNames=ALIAS_STATE,
                    ExpressionAttributeValues={
                        ":running": {"S": RUNNING},
                        ":now": {"N": f"{now:.3f}"},
                    },
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            return Claimed()
        except ConditionFailed as refused:
            return _read(refused.item, now)

    def finish(self, key: IdempotencyKey, owner: UUID, answer: StoredAnswer | None) -> bool:
        """Store the answer, or that the answer store has it, if the lease is still `owner`'s."""
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

    def release(self, key: IdempotencyKey, owner: UUID) -> bool:
        """Delete the record, if the lease is still `owner`'s."""
        return self._if_mine(key, owner, dict(ALIAS_OWNER), {})

    def _if_mine(
        self,
        key: IdempotencyKey,
        owner: UUID,
        names: dict[str, str],
        values: dict[str, Any],
        update: str | None = None,
    ) -> bool:
        call = {
            "TableName": self._table,
            "Key": {"pk": {"S": key.partition_key}},
            "ConditionExpression": MINE,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": {
                **values,
                ":me": {"S": str(owner)},
                ":running": {"S": RUNNING},
            },
        }
        try:
            with self._translate_errors():
                if update is None:
                    self._dynamodb.delete_item(**call)
                else:
                    self._dynamodb.update_item(**call, UpdateExpression=update)
            return True
        except ConditionFailed:
            return False


def _read(item: dict[str, Any], now: float) -> LeaseClaim:
    if item["state"]["S"] == RUNNING:
        return Running(item["request_hash"]["S"], max(0.0, float(item["lease_until"]["N"]) - now))
    if "status" not in item:
        return Finished(item["request_hash"]["S"], None)
    headers = {name: value["S"] for name, value in item["headers"]["M"].items()}
    return Finished(
        item["request_hash"]["S"],
        StoredAnswer(int(item["status"]["N"]), item["body"]["B"], headers),
    )
