"""The archive's partitions: made ahead, dropped past retention."""

from chalicelib.adapters.postgres.reconnecting import ReconnectingConnection

DAYS_AHEAD = 7


def maintain(connection: ReconnectingConnection, *, retention_days: int) -> dict[str, list[str]]:
    """Make partitions `DAYS_AHEAD` and drop those over `retention_days` old; return `created` and `dropped` names."""
    with connection.transaction() as transaction:
        rows = transaction.execute_unnamed(
            "SELECT action, partition FROM outbox_maintain($1::int, $2::int)",
            (DAYS_AHEAD, retention_days),
        ).rows
    connection.close()
    return {
        what: [name for action, name in rows if action == what] for what in ("created", "dropped")
    }
