"""Events on their way out and in: the outbox, the relay, replays, and the consumer's inbox."""
