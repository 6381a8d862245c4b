"""What is deployed: the routes and the scheduled functions. The work is in `chalicelib`."""

from typing import Any

from chalice.app import Chalice, CloudWatchEvent, Rate

from chalicelib.entrypoints import (
    about,
    accounts,
    acknowledge,
    audit,
    autoheal,
    contacts,
    health,
    jobs,
    methods,
    metrics,
    outbox,
    response,
    schedule,
)

app = Chalice(app_name="aetherlink")
app.api.binary_types = [*app.api.binary_types, *response.BINARY_TYPES]
app.register_blueprint(about.routes)
app.register_blueprint(health.routes)
app.register_blueprint(accounts.routes)
app.register_blueprint(contacts.routes)
app.register_blueprint(jobs.routes)
app.register_blueprint(outbox.routes)
app.register_blueprint(autoheal.routes)
app.register_blueprint(acknowledge.routes)
app.register_blueprint(audit.routes)
app.register_blueprint(metrics.routes)
methods.fill_in(app)


@app.schedule(Rate(1, unit=Rate.MINUTES))
def relay(event: CloudWatchEvent) -> dict[str, Any]:
    """Publish committed events from the outbox to Kafka, for a minute."""
    return schedule.run_relay(event.context)


@app.schedule(Rate(1, unit=Rate.MINUTES))
def replay(event: CloudWatchEvent) -> dict[str, Any]:
    """Publish events again for the replays that operators have requested."""
    return schedule.run_replays(event.context)


@app.schedule(Rate(1, unit=Rate.HOURS))
def outbox_upkeep(event: CloudWatchEvent) -> dict[str, Any]:
    """Create the archive's next partitions, and drop expired ones."""
    return schedule.run_outbox_upkeep()


@app.schedule(Rate(1, unit=Rate.HOURS))
def idempotency_cleanup(event: CloudWatchEvent) -> dict[str, Any]:
    """Delete the stored answers of idempotent requests after 24 hours."""
    return schedule.run_idempotency_cleanup()


@app.schedule(Rate(1, unit=Rate.MINUTES))
def autoheal_tick(event: CloudWatchEvent) -> dict[str, Any]:
    """Bring open remediations to an end: settle, verify, retry, escalate."""
    return schedule.run_autoheal_tick(event.context)


@app.schedule(Rate(1, unit=Rate.MINUTES))
def metrics_push(event: CloudWatchEvent) -> dict[str, Any]:
    """Push the metrics of all functions."""
    return schedule.run_metrics_push(event.context)
