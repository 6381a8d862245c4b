"""The partitions of the archive: created ahead, and dropped past retention."""

from chalicelib.adapters.postgres.reconnecting import ReconnectingConnection

DAYS_AHEAD = 7

# A function of the schema's owner: the relay role itself may not create or drop tables.
MAINTAIN = "SELECT action, partition FROM outbox_maintain($1::int, $2::int)"


def maintain(connection: ReconnectingConnection, *, retention_days: int) -> dict[str, list[str]]:
    """Create partitions for `DAYS_AHEAD` days and drop those older than `retention_days`.

    Returns:
        The names of the partitions, under `created` and `dropped`.
    """
    with connection.transaction() as transaction:
        rows = transaction.execute_unnamed(MAINTAIN, (DAYS_AHEAD, retention_days)).rows
    connection.close()
    partitions: dict[str, list[str]] = {"created": [], "dropped": []}
    for action, name in rows:
        partitions[action].append(name)
    return partitions
