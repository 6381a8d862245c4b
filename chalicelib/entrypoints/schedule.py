"""Scheduled work."""

from dataclasses import asdict
from typing import Any

from chalicelib import bootstrap, logs, names


def run_relay(context: Any) -> dict[str, Any]:
    """Relay the outbox until just before this invocation's time is up; return what was done."""
    return asdict(bootstrap.relay().run(_seconds_left(context)))


def run_replays(context: Any) -> dict[str, Any]:
    """Carry out replays until just before this invocation's time is up; return how many events were sent."""
    sent = bootstrap.replayer().run(_seconds_left(context))
    if sent:
        logs.info(names.REPLAY_FINISHED, events=sent)
    return {"events": sent}


def run_outbox_upkeep() -> dict[str, Any]:
    """Look after the archive's partitions; return what was created and dropped."""
    done = bootstrap.outbox_upkeep()
    logs.info(names.UPKEEP_FINISHED, **done)
    return dict(done)


def run_idempotency_cleanup() -> dict[str, Any]:
    """Delete answers kept past their time; return how many."""
    gone = bootstrap.idempotency_cleanup()
    logs.info(names.CLEANUP_FINISHED, deleted=gone)
    return {"deleted": gone}


def _seconds_left(context: Any) -> float:
    return float(context.get_remaining_time_in_millis() / 1_000 - bootstrap.settings().relay_stop_margin_seconds)
