"""How the healer works, as its deployment sets it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from chalicelib.autoheal.modes import Config, Mode
from chalicelib.autoheal.runbooks import Runbook
from chalicelib.shared.setting import boolean, number, setting, setting_by_alert

DAY: Final = 86_400
LEASE_MARGIN: Final = timedelta(minutes=10)
"""How long a target stays locked past the last moment at which its action should have ended."""


@dataclass(frozen=True, slots=True)
class AutohealPolicy:
    """The healer's settings. `deployed` is in force until an operator changes the mode."""

    enabled: bool = setting(
        "AUTOHEAL_ENABLED",
        False,
        "Heal alerts, until a mode is set at `/autoheal/config`.",
        boolean,
    )
    dry_run: bool = setting(
        "AUTOHEAL_DRY_RUN",
        True,
        "Only say what would be done, until a mode is set at `/autoheal/config`.",
        boolean,
    )
    chaos_failure_rate: float = setting(
        "AUTOHEAL_CHAOS_FAILURE_RATE",
        0.0,
        "Percent of actions that fail on purpose, until it is set at `/autoheal/config`.",
        number(float, 0, 10),
    )
    chaos_until: float = setting(
        "AUTOHEAL_CHAOS_UNTIL",
        0.0,
        "When failures on purpose end, Unix seconds; 0 is never, and is refused on stage prod.",
        number(float, 0, 1e11),
    )
    chaos_seed: str = setting(
        "AUTOHEAL_CHAOS_SEED", "aetherlink", "Chooses which actions fail on purpose."
    )
    default_cooldown_sec: int = setting(
        "AUTOHEAL_DEFAULT_COOLDOWN_SEC",
        600,
        "How long a target is left alone after an action.",
        number(int, 0, DAY),
    )
    cooldowns: Mapping[str, int] = setting_by_alert(
        "COOLDOWN_{alert}_SEC",
        "How long a target is left alone after {alert}.",
        number(int, 0, DAY),
    )
    fleet_cap: int = setting(
        "AUTOHEAL_FLEET_CAP",
        4,
        "Most actions under way at once, over all alerts.",
        number(int, 1, 50),
    )
    approval_seconds: int = setting(
        "AUTOHEAL_APPROVAL_SECONDS",
        1_800,
        "How long an action waits for approval.",
        number(int, 60, DAY),
    )
    webhook_seconds: float = setting(
        "AUTOHEAL_WEBHOOK_SECONDS",
        7.0,
        "How long one call of the webhook is worked on; "
        "Alertmanager waits for `group_interval`, at least 10.",
        number(float, 0.5, 60),
    )
    public_url: str = setting(
        "AUTOHEAL_PUBLIC_URL",
        "",
        "Where people reach this API, for the links in messages, e.g. `https://host/api`. "
        "Empty: PUBLIC_URL.",
    )
    dispatch_grace_seconds: int = 60
    verify_grace_seconds: int = 600
    retry_seconds: int = 60
    retry_window_seconds: int = 3_600
    poll_seconds: float = 2.0
    breaker_failures: int = 3
    breaker_open_seconds: int = 900

    @property
    def deployed(self) -> Config:
        """Return the configuration that the deployment starts with."""
        until = datetime.fromtimestamp(self.chaos_until, UTC) if self.chaos_until else None
        if not self.enabled:
            return Config(Mode.OFF, self.chaos_failure_rate, until)
        return Config(Mode.DRY_RUN if self.dry_run else Mode.LIVE, self.chaos_failure_rate, until)

    def cooldown(self, runbook: Runbook | None) -> timedelta:
        """Return how long a target is left alone.

        The alert's own setting comes first, then the runbook's, then the default.
        """
        if runbook is None:
            return timedelta(seconds=self.default_cooldown_sec)
        seconds = self.cooldowns.get(runbook.alertname, runbook.cooldown_seconds)
        return timedelta(seconds=self.default_cooldown_sec if seconds is None else seconds)

    def lease(self, runbook: Runbook) -> timedelta:
        """Return how long an action may hold its target."""
        working = runbook.timeout_seconds + runbook.verify_seconds + self.verify_grace_seconds
        waiting = self.approval_seconds if runbook.approval else 0
        total = working + waiting + self.dispatch_grace_seconds
        return timedelta(seconds=total) + LEASE_MARGIN
