"""The names of a stage's secrets, and the settings that refer to them."""

from collections.abc import Iterable

NAMES = {
    "AUTOHEAL_LINK_SECRETS": "autoheal-links",
    "AUTOHEAL_WEBHOOK_TOKENS": "autoheal-webhook",
    "CURSOR_SECRET": "cursors",
    "DATABASE_URL": "database-api",
    "KAFKA_PASSWORD": "kafka",
    "METRICS_SCRAPE_TOKENS": "metrics-scrape",
    "RELAY_DATABASE_URL": "database-relay",
}
"""Secret setting -> the last part of its name. The policies in `.chalice` name them too."""


def name(setting: str, stage: str) -> str:
    """Return the name of the secret of `setting` on `stage`."""
    return f"aetherlink/{stage}/{NAMES[setting]}"


def references(settings: Iterable[str], stage: str) -> dict[str, str]:
    """Return the environment that refers each of the `settings` to its secret."""
    return {setting: f"secretsmanager:{name(setting, stage)}" for setting in settings}
