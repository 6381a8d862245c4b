"""What is deployed: the routes, and every other function. A contents page: the work is in `chalicelib`."""

from typing import Any

from chalice.app import Chalice, CloudWatchEvent, Rate

from chalicelib.entrypoints import crm, health, schedule

app = Chalice(app_name="aetherlink")
app.register_blueprint(health.routes)
app.register_blueprint(crm.routes)


@app.schedule(Rate(1, unit=Rate.MINUTES))
def relay(event: CloudWatchEvent) -> dict[str, Any]:
    """Move committed events from the outbox to Kafka, for a minute."""
    return schedule.run_relay(event.context)
