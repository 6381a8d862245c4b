"""Counters of requests in DynamoDB, in the table of the idempotency keys."""

from chalicelib.adapters.dynamodb.table import IdempotencyTable


class DynamoCounters(IdempotencyTable):
    """`Counters` for rate limits."""

    def add(self, key: str, *, expires_at: int) -> int:
        """Add one to `key`, in one call; return the sum."""
        with self._translate_errors():
            response = self._dynamodb.update_item(
                TableName=self._table,
                Key={"pk": {"S": key}},
                UpdateExpression="SET expires_at = :expires ADD times :one",
                ExpressionAttributeValues={
                    ":expires": {"N": str(expires_at)},
                    ":one": {"N": "1"},
                },
                ReturnValues="UPDATED_NEW",
            )
        return int(response["Attributes"]["times"]["N"])
