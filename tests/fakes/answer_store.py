"""One fake for each port. They pass the same contract suites as the real adapters."""

from chalicelib.idempotency.key import IdempotencyKey
from chalicelib.idempotency.ports import AlreadyDone, Finished, StoredAnswer


class FakeAnswerStore:
    """A `Ledger` in memory; `business` is one transaction: the effect and the note, or neither."""

    def __init__(self) -> None:
        self.rows: dict[str, Finished] = {}
        self.effects: list[str] = []

    def find(self, key: IdempotencyKey) -> Finished | None:
        return self.rows.get(key.partition_key)

    def business(self, key: IdempotencyKey, answer: StoredAnswer) -> StoredAnswer:
        if key.partition_key in self.rows:
            raise AlreadyDone("before")
        self.rows[key.partition_key] = Finished(key.request_hash, answer)
        self.effects.append(key.key)
        return answer
