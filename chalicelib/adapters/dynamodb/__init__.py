"""DynamoDB: idempotency leases, rate counters, and the healer's tables."""
