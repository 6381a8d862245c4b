"""Settings that are secrets: kept in a secret store, named by reference, changed while the process runs.

A reference is `secretsmanager:<name or ARN>`, with `#<key>` for one key of a JSON object,
or `ssm:<parameter>`. What it leads to is a text, or a JSON list of texts where several are
accepted at once: the first is the one to use, the others are on their way out.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Protocol

from chalicelib.shared.clock import Clock, SystemClock
from chalicelib.shared.errors import AetherLinkError, Misconfigured

REFERENCE = re.compile(r"(secretsmanager|ssm):([^#,\s]+)(?:#([^#,\s]+))?")
PAUSE_SECONDS = 5.0
"""Shortest time between two looks, after one that failed or that a refused credential asked for."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a secret stands: the service, its name there, and the key of a JSON object, or none."""

    service: str
    name: str
    key: str = ""

    @classmethod
    def parse(cls, text: str) -> "Reference | None":
        """Return what `text` refers to, or None where it is no reference."""
        match = REFERENCE.fullmatch(text)
        return cls(match[1], match[2], match[3] or "") if match else None

    def values(self, text: str) -> tuple[str, ...]:
        """Return the values in `text`, which stands in the store.

        Raises:
            errors.Misconfigured: there is no such key, or nothing in it.
        """
        if self.key:
            try:
                found = json.loads(text)[self.key]
            except (ValueError, TypeError, KeyError, IndexError):
                raise Misconfigured(
                    f"{self} is not a JSON object with the key {self.key}."
                ) from None
            text = found if isinstance(found, str) else json.dumps(found)
        return several(text, str(self))

    def __str__(self) -> str:
        """Return it as the setting has it, without the key."""
        return f"{self.service}:{self.name}"


class SecretStore(Protocol):
    """Where secrets are kept."""

    def fetch(self, reference: Reference, *, overlapping: bool) -> tuple[str, ...]:
        """Return the present value, then those that are still accepted; `overlapping` asks for the previous one too.

        Raises:
            errors.Misconfigured: there is no such secret, or this function may not read it.
            errors.Unavailable: the store does not answer.
        """
        ...


def several(text: str, where: str) -> tuple[str, ...]:
    """Return the texts of a JSON list, or `text` alone where it is none; `where` names it in errors.

    Raises:
        errors.Misconfigured: there is an empty one, or none at all.
    """
    values: tuple[str, ...] = (text,)
    if text.lstrip().startswith("["):
        try:
            values = tuple(str(one) for one in json.loads(text))
        except ValueError:
            values = (text,)
    if not values or not all(values):
        raise Misconfigured(f"{where} is empty or contains an empty value.")
    return values


class Secret:
    """One secret, fetched when first asked for and again from time to time."""

    def __init__(
        self,
        fetch: Callable[[], tuple[str, ...]],
        clock: Clock,
        *,
        refresh_seconds: float,
        tell: Callable[[AetherLinkError], None] = lambda _: None,
    ) -> None:
        """Ask `fetch` again after `refresh_seconds`; `tell` hears of trouble that the last good value covers."""
        self._fetch = fetch
        self._clock = clock
        self._refresh = refresh_seconds
        self._tell = tell
        self._values: tuple[str, ...] = ()
        self._next_look = float("-inf")
        self._next_renewal = float("-inf")
        self._lock = Lock()

    def value(self) -> str:
        """Return the present value. Raises as `accepted` does."""
        return self.accepted()[0]

    def accepted(self) -> tuple[str, ...]:
        """Return the present value, then those that are still accepted.

        A store that is down does no harm to a secret that was read before: its last good
        value stays.

        Raises:
            errors.Misconfigured: it was never read, and there is no such secret or no right
            to read it.
            errors.Unavailable: it was never read, and the store does not answer.
        """
        with self._lock:
            if not self._values or self._clock.monotonic() >= self._next_look:
                self._look()
            return self._values

    def renew(self) -> bool:
        """Fetch the value before its time, because it was refused; tell whether there is another one now."""
        with self._lock:
            if self._clock.monotonic() < self._next_renewal:
                return False
            self._next_renewal = self._clock.monotonic() + PAUSE_SECONDS
            before = self._values
            self._look()
            return bool(before) and self._values != before

    def _look(self) -> None:
        try:
            self._values = self._fetch()
            self._next_look = self._clock.monotonic() + self._refresh
        except AetherLinkError as problem:
            if not self._values:
                raise
            self._next_look = self._clock.monotonic() + min(PAUSE_SECONDS, self._refresh)
            self._tell(problem)


def plain(text: str, setting: str = "The setting") -> Secret:
    """Return the secret that stands in `setting` itself, as `text`: for stage local."""
    return Secret(lambda: several(text, setting), SystemClock(), refresh_seconds=float("inf"))
