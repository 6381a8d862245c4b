"""Rules with one thing wrong: each threshold, window, comparison and `for`, one at a time."""

import copy
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from infra.slo import durations
from infra.slo.rules import Group, Rule

LARGER = 1.25
SMALLER = 0.8
NUMBER: Final = r"\d+(?:\.\d+)?"
THRESHOLD: Final = re.compile(
    rf"(?<= [<>=] )({NUMBER})\b|(?<= == )({NUMBER})\b|(?<=bool )({NUMBER})\b"
)
OBJECTIVE: Final = re.compile(r"(?<=vector\()(0\.\d+)(?=\))")
COUNT: Final = re.compile(r"(?<= \* )([1-9]\d*)\b")
WINDOW: Final = re.compile(r"(?<=\[)(\d+[a-z]+)(?=\])|(?<=offset )(\d+[a-z]+)")
COMPARISON: Final = re.compile(r"(?<= )(>|<|==|<=)(?= )")
REVERSED: Final = {">": "<", "<": ">", "==": "!=", "<=": ">"}
AT_THE_EDGE: Final = {">": ">=", "<": "<=", "<=": "<"}
LATE: Final = "5m"
"""The `for` that an alert without one gets."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: to which rule (group and position), of which kind, and what it is then."""

    group: int
    position: int
    rule: str
    kind: str
    change: str
    key: str
    value: str

    def applied(self, groups: Sequence[Group]) -> list[Group]:
        """Return a copy of `groups` with this change."""
        changed = copy.deepcopy(list(groups))
        changed[self.group]["rules"][self.position][self.key] = self.value
        return changed


def mutants(groups: Sequence[Group]) -> list[Mutant]:
    """Return every mutant of the rules in `groups`, in their order."""
    mutated: list[Mutant] = []
    for number, group in enumerate(groups):
        for position, rule in enumerate(group["rules"]):
            name = str(rule.get("alert") or rule["record"])
            labels = rule.get("labels", {})
            label = f"{name}{{{labels['slo']}}}" if "slo" in labels and "record" in rule else name
            for kind, change, key, value in (*_expressions(rule), *_holds(rule)):
                mutated.append(Mutant(number, position, label, kind, change, key, value))
    return mutated


def _expressions(rule: Rule) -> Iterator[tuple[str, str, str, str]]:
    expr = str(rule["expr"])
    for kind, match, new in _changes(expr):
        changed = expr[: match.start()] + new + expr[match.end() :]
        if changed != expr:
            around = expr[max(0, match.start() - 30) : match.end() + 12].replace("\n", " ")
            yield kind, f"{match.group()} -> {new} in …{around}…", "expr", changed


def _changes(expr: str) -> Iterator[tuple[str, re.Match[str], str]]:
    for match in THRESHOLD.finditer(expr):
        value = float(match.group())
        for new in (value * LARGER, value * SMALLER) if value else (1.0,):
            yield "threshold", match, f"{new:.12g}"
    for match in OBJECTIVE.finditer(expr):
        for factor in (LARGER, SMALLER):
            yield "threshold", match, f"{1 - (1 - float(match.group())) * factor:.12g}"
    for match in COUNT.finditer(expr):
        for factor in (LARGER, SMALLER):
            yield "threshold", match, f"{float(match.group()) * factor:.12g}"
    for match in WINDOW.finditer(expr):
        for longer in (2, 0.5):
            yield (
                "window",
                match,
                durations.shown(durations.seconds(match.group()) * longer),
            )
    for match in COMPARISON.finditer(expr):
        yield "comparison", match, REVERSED[match.group()]
        if match.group() in AT_THE_EDGE:
            yield "edge", match, AT_THE_EDGE[match.group()]


def _holds(rule: Rule) -> Iterator[tuple[str, str, str, str]]:
    if "alert" not in rule:
        return
    held = rule.get("for")
    if held is None:
        yield "for", f"at once -> {LATE}", "for", LATE
        return
    for longer in (2, 0.5):
        new = durations.shown(durations.seconds(str(held)) * longer)
        yield "for", f"{held} -> {new}", "for", new
