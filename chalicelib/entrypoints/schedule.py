"""Scheduled work."""

from dataclasses import asdict
from typing import Any

from chalicelib import bootstrap


def run_relay(context: Any) -> dict[str, Any]:
    """Relay the outbox until just before this invocation's time is up; return what was done."""
    seconds = context.get_remaining_time_in_millis() / 1_000 - bootstrap.settings().relay_stop_margin_seconds
    return asdict(bootstrap.relay().run(seconds))
