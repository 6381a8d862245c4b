"""Secret settings: kept in a secret store, referred to by name, changed while processes run.

A reference is `secretsmanager:<name or ARN>`, with `#<key>` for one key of a JSON object,
or `ssm:<parameter>`. The value there is a text, or a JSON list of texts if several are
accepted at once: the first is the current one, the others are being phased out.
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
"""The shortest time between two fetches after a failed one, or after a refused credential."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a secret is kept.

    Attributes:
        service: `secretsmanager` or `ssm`.
        name: its name or ARN there.
        key: the key of a JSON object, or empty.
    """

    service: str
    name: str
    key: str = ""

    @classmethod
    def parse(cls, text: str) -> "Reference | None":
        """Return the reference in `text`, or None if it is not a reference."""
        match = REFERENCE.fullmatch(text)
        return cls(match[1], match[2], match[3] or "") if match else None

    def values(self, text: str) -> tuple[str, ...]:
        """Return the values in `text`, as the store has it.

        Raises:
            errors.Misconfigured: the key is missing, or its value is empty.
        """
        if self.key:
            try:
                value = json.loads(text)[self.key]
            except (ValueError, TypeError, KeyError, IndexError):
                raise Misconfigured(
                    f"{self} is not a JSON object with the key {self.key}."
                ) from None
            text = value if isinstance(value, str) else json.dumps(value)
        return values_in(text, str(self))

    def __str__(self) -> str:
        """Return the reference as in the setting, without the key."""
        return f"{self.service}:{self.name}"


class SecretStore(Protocol):
    """Where secrets are kept."""

    def fetch(self, reference: Reference, *, overlapping: bool) -> tuple[str, ...]:
        """Return the current value, then those that are still accepted.

        `overlapping` asks for the previous value, too.

        Raises:
            errors.Misconfigured: the secret does not exist, or this function may not read it.
            errors.Unavailable: the store cannot be reached.
        """
        ...


def values_in(text: str, source: str) -> tuple[str, ...]:
    """Return the texts of a JSON list, or `text` alone if it is not a list.

    `source` names it in errors.

    Raises:
        errors.Misconfigured: a value is empty, or there is none.
    """
    values: tuple[str, ...] = (text,)
    if text.lstrip().startswith("["):
        try:
            values = tuple(str(value) for value in json.loads(text))
        except ValueError:
            values = (text,)
    if not values or not all(values):
        raise Misconfigured(f"{source} is empty or contains an empty value.")
    return values


class Secret:
    """One secret, fetched when it is first used, and again from time to time."""

    def __init__(
        self,
        fetch: Callable[[], tuple[str, ...]],
        clock: Clock,
        *,
        refresh_seconds: float,
        on_error: Callable[[AetherLinkError], None] = lambda _: None,
    ) -> None:
        """Fetch nothing yet.

        Args:
            fetch: returns the current value and those still accepted.
            clock: the time.
            refresh_seconds: how old a value may become before it is fetched again.
            on_error: called with an error of `fetch` that the last good value makes up for.
        """
        self._fetch = fetch
        self._clock = clock
        self._refresh_seconds = refresh_seconds
        self._on_error = on_error
        self._values: tuple[str, ...] = ()
        self._next_fetch = float("-inf")
        self._next_renewal = float("-inf")
        self._lock = Lock()

    def value(self) -> str:
        """Return the current value. Raises as `accepted` does."""
        return self.accepted()[0]

    def accepted(self) -> tuple[str, ...]:
        """Return the current value, then those that are still accepted.

        While the store is down, a secret that was read before keeps its last good value.

        Raises:
            errors.Misconfigured: it was never read, and does not exist or may not be read.
            errors.Unavailable: it was never read, and the store cannot be reached.
        """
        with self._lock:
            if not self._values or self._clock.monotonic() >= self._next_fetch:
                self._fetch_values()
            return self._values

    def renew(self) -> bool:
        """Fetch the value early, because it was refused; return whether it has changed."""
        with self._lock:
            if self._clock.monotonic() < self._next_renewal:
                return False
            self._next_renewal = self._clock.monotonic() + PAUSE_SECONDS
            before = self._values
            self._fetch_values()
            return bool(before) and self._values != before

    def _fetch_values(self) -> None:
        try:
            self._values = self._fetch()
            self._next_fetch = self._clock.monotonic() + self._refresh_seconds
        except AetherLinkError as problem:
            if not self._values:
                raise
            self._next_fetch = self._clock.monotonic() + min(PAUSE_SECONDS, self._refresh_seconds)
            self._on_error(problem)


def plain(text: str, setting: str = "The setting") -> Secret:
    """Return the secret whose value is `text` itself, from `setting`: for stage local."""
    return Secret(lambda: values_in(text, setting), SystemClock(), refresh_seconds=float("inf"))
