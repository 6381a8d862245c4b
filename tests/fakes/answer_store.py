"""The answer store, in memory."""

from chalicelib.idempotency.key import IdempotencyKey
from chalicelib.idempotency.ports import AlreadyDone, Finished, StoredAnswer


class FakeAnswerStore:
    """An `AnswerStore`; `effects` lists the keys whose business was done."""

    def __init__(self) -> None:
        self.rows: dict[str, Finished] = {}
        self.effects: list[str] = []

    def find(self, key: IdempotencyKey) -> Finished | None:
        return self.rows.get(key.partition_key)

    def do_business(self, key: IdempotencyKey, answer: StoredAnswer) -> StoredAnswer:
        """Do the business and store the answer, as one transaction."""
        if key.partition_key in self.rows:
            raise AlreadyDone("This request has already been carried out.")
        self.rows[key.partition_key] = Finished(key.request_hash, answer)
        self.effects.append(key.key)
        return answer
