"""Running a request once, however often it is sent with the same `Idempotency-Key`."""
