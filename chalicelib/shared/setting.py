"""How a setting is declared and read: its environment variable, its meaning, and what it may be.

A section of the configuration is a frozen dataclass whose fields are declared with
`setting`, `secret` or `setting_by_alert`. A room declares its own section, so that its
policy object and its settings are one thing.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z0-9]*|[a-z0-9]+")
ALERT = "{alert}"
"""Stands in the variable name of a setting that each alert has for itself."""


def boolean(text: str) -> bool:
    """Read true or false."""
    word = text.strip().lower()
    if word in _TRUE | _FALSE:
        return word in _TRUE
    raise ValueError("expected true or false")


def number(kind: type[int] | type[float], low: float, high: float) -> Callable[[str], float]:
    """Return a parser of a number from `low` to `high`."""

    def parse(text: str) -> float:
        value = kind(text)
        if not low <= value <= high:
            raise ValueError(f"expected {low} to {high}")
        return value

    return parse


def one_of(*words: str) -> Callable[[str], str]:
    """Return a parser of one of `words`."""

    def parse(text: str) -> str:
        if text not in words:
            choice = ", ".join(word or "(empty)" for word in words)
            raise ValueError(f"expected one of: {choice}")
        return text

    return parse


def optional(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return a parser that reads as `parse` does, and None from an empty text."""
    return lambda text: parse(text) if text.strip() else None


def words(text: str) -> tuple[str, ...]:
    """Read words separated by commas."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def setting(env: str, default: Any, meaning: str, parse: Callable[[str], Any] = str) -> Any:
    """Return a dataclass field that is read from the environment variable `env`."""
    return field(default=default, metadata={"env": env, "meaning": meaning, "parse": parse})


def secret(
    env: str,
    meaning: str,
    *,
    default: Any = "",
    parse: Callable[[str], Any] = str,
    overlapping: bool = False,
) -> Any:
    """Return a field for a secret, or for references to one.

    Its value is never shown, and no stage but `local` accepts it in plain text. With
    `overlapping`, the value before a rotation is accepted for a while, too.
    """
    metadata = {
        "env": env,
        "meaning": meaning,
        "parse": parse,
        "secret": True,
        "overlapping": overlapping,
    }
    return field(default=default, repr=False, metadata=metadata)


def setting_by_alert(env: str, meaning: str, parse: Callable[[str], Any]) -> Any:
    """Return a field that maps alerts to values: one variable for each alert that has a runbook.

    `env` and `meaning` contain `{alert}`; in the variable it stands for the alert's name in
    upper snake case.
    """
    metadata = {"env_by_alert": env, "meaning": meaning, "parse": parse}
    return field(default_factory=dict, metadata=metadata)


def variable_for(env: str, alertname: str) -> str:
    """Return the variable of an alert.

    For `TcpDown`, `COOLDOWN_{alert}_SEC` becomes `COOLDOWN_TCP_DOWN_SEC`.
    """
    return env.replace(ALERT, "_".join(_WORD.findall(alertname)).upper())


def variables_like(env: str, source: Mapping[str, str]) -> list[str]:
    """Return the variables in `source` that look like `env`, whatever alert they name."""
    before, _, after = env.partition(ALERT)
    pattern = re.compile(re.escape(before) + "[A-Z0-9_]+" + re.escape(after))
    return sorted(name for name in source if pattern.fullmatch(name))
