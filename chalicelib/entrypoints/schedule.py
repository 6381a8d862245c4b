"""The scheduled functions. Each returns a summary of its run, for the log of the invocation."""

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from chalicelib.autoheal.settle import Settler
from chalicelib.bootstrap import container
from chalicelib.entrypoints import metrics
from chalicelib.shared.errors import Unavailable
from chalicelib.telemetry import logs, names
from chalicelib.telemetry.pusher import publish

PUSH_LEASE = "metrics-push"
PUSH_LEASE_TIME = timedelta(seconds=50)


def run_relay(context: Any) -> dict[str, Any]:
    """Relay the outbox until just before the invocation ends; return the totals."""
    return asdict(container().outbox.relay().run(_seconds_left(context)))


def run_replays(context: Any) -> dict[str, Any]:
    """Carry out replays until just before the invocation ends; return the number of events."""
    sent = container().outbox.replayer().run(_seconds_left(context))
    if sent:
        logs.info(names.REPLAY_FINISHED, events=sent)
    return {"events": sent}


def run_outbox_upkeep() -> dict[str, Any]:
    """Create and drop partitions of the archive; return which."""
    partitions = container().outbox.upkeep()
    logs.info(names.UPKEEP_FINISHED, **partitions)
    return dict(partitions)


def run_idempotency_cleanup() -> dict[str, Any]:
    """Delete expired answers of idempotent requests; return how many."""
    deleted = container().idempotency.clean()
    logs.info(names.CLEANUP_FINISHED, deleted=deleted)
    return {"deleted": deleted}


def run_autoheal_tick(context: Any) -> dict[str, Any]:
    """Settle open remediations until just before the invocation ends; return the totals."""
    if not container().settings.autoheal_store.table_prefix:
        return {}
    totals = asdict(Settler(container().autoheal.dependencies).run(_seconds_left(context)))
    logs.info(names.AUTOHEAL_TICK_FINISHED, **totals)
    return totals


def run_metrics_push(context: Any) -> dict[str, Any]:
    """Push the metrics, unless another invocation is doing so.

    If the Pushgateway is down, the next invocation tries again.
    """
    gateway = container().telemetry.pusher
    if gateway is None or not container().settings.autoheal_store.table_prefix:
        return {}
    store = container().autoheal.dependencies.store
    owner = context.aws_request_id
    now = container().clock.now()
    if not store.hold(PUSH_LEASE, owner, now, now + PUSH_LEASE_TIME):
        return {"skipped": True}
    try:
        lines = publish(metrics.everything(), gateway)
    except Unavailable as problem:
        logs.warning(names.METRICS_NOT_PUSHED, code=problem.code, cause=problem.cause)
        return {"pushed": False}
    finally:
        store.release(PUSH_LEASE, owner)
    logs.info(names.METRICS_PUSHED, **lines)
    return {"pushed": True, **lines}


def _seconds_left(context: Any) -> float:
    return float(
        context.get_remaining_time_in_millis() / 1_000
        - container().settings.relay.stop_margin_seconds
    )
