"""The transactional outbox: envelope, batching, relay, replay, administration, and inbox."""
