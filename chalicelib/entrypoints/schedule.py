"""Scheduled work."""

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from chalicelib import bootstrap, bootstrap_healing, bootstrap_outbox, logs, names
from chalicelib.autoheal.exposition import publish
from chalicelib.autoheal.settle import Settler
from chalicelib.entrypoints import metrics
from chalicelib.errors import Unavailable

PUSH_LEASE, PUSH_LEASE_TIME = "metrics-push", timedelta(seconds=50)


def run_relay(context: Any) -> dict[str, Any]:
    """Relay the outbox until just before this invocation's time is up; return what was done."""
    return asdict(bootstrap_outbox.relay().run(_seconds_left(context)))


def run_replays(context: Any) -> dict[str, Any]:
    """Carry out replays until just before this invocation's time is up; return how many events were sent."""
    sent = bootstrap_outbox.replayer().run(_seconds_left(context))
    if sent:
        logs.info(names.REPLAY_FINISHED, events=sent)
    return {"events": sent}


def run_outbox_upkeep() -> dict[str, Any]:
    """Look after the archive's partitions; return what was created and dropped."""
    done = bootstrap_outbox.upkeep()
    logs.info(names.UPKEEP_FINISHED, **done)
    return dict(done)


def run_idempotency_cleanup() -> dict[str, Any]:
    """Delete answers kept past their time; return how many."""
    gone = bootstrap_outbox.idempotency_cleanup()
    logs.info(names.CLEANUP_FINISHED, deleted=gone)
    return {"deleted": gone}


def run_autoheal_tick(context: Any) -> dict[str, Any]:
    """Settle what the healer began, until just before this invocation's time is up; return what was done."""
    if not bootstrap.settings().autoheal_table_prefix:
        return {}
    done = asdict(Settler(bootstrap_healing.healing()).run(_seconds_left(context)))
    logs.info(names.AUTOHEAL_TICK_FINISHED, **done)
    return done


def run_metrics_push(context: Any) -> dict[str, Any]:
    """Push the totals, if nobody else is doing it; a pushgateway that is down is left for the next minute."""
    gateway = bootstrap_healing.pusher()
    if gateway is None or not bootstrap.settings().autoheal_table_prefix:
        return {}
    store, me, now = bootstrap_healing.healing().store, context.aws_request_id, bootstrap.clock().now()
    if not store.hold(PUSH_LEASE, me, now, now + PUSH_LEASE_TIME):
        return {"skipped": True}
    try:
        lines = publish(metrics.everything(), gateway)
    except Unavailable as problem:
        logs.warning(names.METRICS_NOT_PUSHED, code=problem.code, cause=problem.cause)
        return {"pushed": False}
    finally:
        store.release(PUSH_LEASE, me)
    logs.info(names.METRICS_PUSHED, **lines)
    return {"pushed": True, **lines}


def _seconds_left(context: Any) -> float:
    return float(context.get_remaining_time_in_millis() / 1_000 - bootstrap.settings().relay_stop_margin_seconds)
