"""Leases of idempotency keys in DynamoDB: one conditional write to claim, one to finish or let go. And counters."""

from chalicelib.adapters.dynamodb.table import IdempotencyTable


class DynamoCounters(IdempotencyTable):
    """`Counters`, beside the idempotency keys."""

    def add(self, key: str, *, expires_at: int) -> int:
        """Add one, in one call."""
        with self._translate_errors():
            said = self._dynamodb.update_item(
                TableName=self._table,
                Key={"pk": {"S": key}},
                UpdateExpression="SET expires_at = :expires ADD times :one",
                ExpressionAttributeValues={
                    ":expires": {"N": str(expires_at)},
                    ":one": {"N": "1"},
                },
                ReturnValues="UPDATED_NEW",
            )
        return int(said["Attributes"]["times"]["N"])
