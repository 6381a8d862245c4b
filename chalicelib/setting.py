"""How a setting is declared and read: its environment variable, its meaning, and what it may be."""

from collections.abc import Callable
from dataclasses import field
from typing import Any

_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}


def boolean(text: str) -> bool:
    """Read true or false."""
    word = text.strip().lower()
    if word in _TRUE | _FALSE:
        return word in _TRUE
    raise ValueError("expected true or false")


def number(kind: type[int] | type[float], low: float, high: float) -> Callable[[str], float]:
    """Return what reads a number from `low` to `high`."""

    def parse(text: str) -> float:
        value = kind(text)
        if not low <= value <= high:
            raise ValueError(f"expected {low} to {high}")
        return value

    return parse


def one_of(*words: str) -> Callable[[str], str]:
    """Return what reads one of `words`."""

    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"expected one of: {', '.join(word or '(empty)' for word in words)}")
        return text

    return parse


def setting(env: str, default: Any, meaning: str, parse: Callable[[str], Any] = str) -> Any:
    """Return a field that is read from `env`."""
    return field(default=default, metadata={"env": env, "meaning": meaning, "parse": parse})


def optional(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return what reads as `parse` does, and None from nothing."""
    return lambda text: parse(text) if text.strip() else None


def words(text: str) -> tuple[str, ...]:
    """Read words separated by commas."""
    return tuple(word.strip() for word in text.split(",") if word.strip())
