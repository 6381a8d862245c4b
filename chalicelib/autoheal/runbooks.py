"""Runbooks: what may be done about which alert. They are data (`runbooks.json`), checked on load.

A parameter is taken from one label through an anchored pattern, which must match the whole
value. Where the pattern has a group, the group is the parameter.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, TypeAdapter

from chalicelib.autoheal.alert import Alert
from chalicelib.shared.schema import Model, Text

SOURCE = Path(__file__).with_name("runbooks.json")
DOCUMENT_PREFIX = "AetherLink-"
SELF_ALERT_PREFIX = "Autoheal"
"""Alerts about the healer itself start with this. It never heals them."""


def _anchored(pattern: str) -> str:
    if not (pattern.startswith("^") and pattern.endswith("$") and re.compile(pattern).groups <= 1):
        raise ValueError("must start with ^, end with $ and have one group at most")
    return pattern


def _our_document(name: str) -> str:
    if not name.startswith(DOCUMENT_PREFIX):
        raise ValueError(f"must be one of our own documents: {DOCUMENT_PREFIX}...")
    return name


def _healable(name: str) -> str:
    if name.startswith(SELF_ALERT_PREFIX):
        raise ValueError("is about the healer itself")
    return name


Pattern = Annotated[str, Text(200), AfterValidator(_anchored)]


class FromLabel(Model):
    """A value that is taken from one label."""

    label: Annotated[str, Text(128)]
    pattern: Pattern

    def value(self, labels: Mapping[str, str]) -> str | None:
        """Return the label's value, or the pattern's group of it; None where it does not match."""
        match = re.fullmatch(self.pattern, labels.get(self.label, ""))
        return None if match is None else str(match.group(match.re.groups))


class Target(FromLabel):
    """Which machines: those whose `tag` has the label's value."""

    tag: Annotated[str, Text(128)]


class Runbook(Model):
    """What to do about one alert.

    `cooldown_seconds` None is the deployment's default. A `drill` runbook is for rehearsals,
    which need many actions in a short time.
    """

    alertname: Annotated[str, Text(128), AfterValidator(_healable)]
    document: Annotated[str, Text(128), AfterValidator(_our_document)]
    document_version: Annotated[
        str, Text(20, pattern=r"^[1-9][0-9]*$", reason="must be a version number")
    ]
    target: Target
    parameters: dict[str, FromLabel]
    drill: bool = False
    cooldown_seconds: int | None = None
    hourly_cap: int
    attempts: int
    approval: bool
    timeout_seconds: int
    verify_seconds: int


@dataclass(frozen=True, slots=True)
class RemediationPlan:
    """A runbook applied to an alert: ready to send."""

    runbook: Runbook
    target: str
    parameters: Mapping[str, str]

    @property
    def command(self) -> str:
        """Return the command as people read it."""
        arguments = " ".join(f"{name}={value}" for name, value in sorted(self.parameters.items()))
        return f"{self.runbook.document}:{self.runbook.document_version} {arguments}".rstrip()


def apply(runbook: Runbook, alert: Alert) -> RemediationPlan | None:
    """Return what `runbook` does about `alert`; None where a label does not match its pattern."""
    target = runbook.target.value(alert.labels)
    values = {name: source.value(alert.labels) for name, source in runbook.parameters.items()}
    if target is None or None in values.values():
        return None
    parameters = {name: value for name, value in values.items() if value is not None}
    return RemediationPlan(runbook, f"{runbook.target.tag}={target}", parameters)


def parse(source: bytes) -> dict[str, Runbook]:
    """Return the runbooks in `source` by alert.

    Raises:
        pydantic.ValidationError: a runbook is not valid.
        ValueError: two runbooks are for the same alert.
    """
    listed = TypeAdapter(list[Runbook]).validate_json(source)
    by_alert = {runbook.alertname: runbook for runbook in listed}
    if len(by_alert) != len(listed):
        raise ValueError("two runbooks for one alert")
    return by_alert


def deployed_name(document: str, stage: str) -> str:
    """Return the name of `document` in an account, e.g. `AetherLink-prod-RestartService`.

    Names are unique in an account's region, where two stages may be deployed.
    """
    return f"{DOCUMENT_PREFIX}{stage}-{document.removeprefix(DOCUMENT_PREFIX)}"


@cache
def load() -> Mapping[str, Runbook]:
    """Return the product's runbooks by alert."""
    return parse(SOURCE.read_bytes())
