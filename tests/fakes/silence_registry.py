"""A fake of the silence registry."""

import threading
from datetime import datetime

from chalicelib.autoheal.acknowledge import HeldSilence
from chalicelib.shared.clock import Clock


class FakeSilenceRegistry:
    """A `SilenceRegistry` in memory."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.lock = threading.Lock()
        self.kept: dict[str, tuple[str, datetime, str]] = {}

    def reserve(self, key: str, owner: str, now: datetime, until: datetime) -> HeldSilence | None:
        with self.lock:
            entry = self.kept.get(key)
            if entry and entry[1] > now:
                return HeldSilence(entry[2])
            self.kept[key] = (owner, until, "")
            return None

    def keep(self, key: str, owner: str, silence_id: str, ends: datetime) -> bool:
        with self.lock:
            if self.kept.get(key, ("",))[0] != owner:
                return False
            self.kept[key] = (owner, ends, silence_id)
            return True

    def release(self, key: str, owner: str) -> None:
        with self.lock:
            entry = self.kept.get(key)
            if entry and entry[0] == owner and not entry[2]:
                del self.kept[key]

    def forget(self, silence_id: str) -> None:
        with self.lock:
            self.kept = {key: entry for key, entry in self.kept.items() if entry[2] != silence_id}
