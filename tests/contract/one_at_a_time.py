"""A client of moto's that makes one call at a time."""

import threading
from typing import Any


class OneAtATime:
    """Makes calls one at a time: moto does not isolate threads as DynamoDB does."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._client, name)
        if not callable(member):
            return member

        def call(*arguments: Any, **options: Any) -> Any:
            with self._lock:
                return member(*arguments, **options)

        return call
