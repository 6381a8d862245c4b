"""The healer's configuration in its state table.

Each claim checks the configuration's version, so one item would be touched by all of them.
There are several copies of it, written together; a claim checks one of them.
"""

from chalicelib.adapters.dynamodb import rails
from chalicelib.adapters.dynamodb.items import at, moment_of, number, text
from chalicelib.adapters.dynamodb.state_table import Item, StateTable
from chalicelib.adapters.dynamodb.transactions import Step, Stopped
from chalicelib.autoheal.modes import Config, Mode
from chalicelib.autoheal.records import ChangeRecord


class ConfigTable(StateTable):
    """Reads and changes the configuration."""

    def config(self) -> Config | None:
        """Return the configuration that was set, read consistently; None where none was."""
        item = self._get(rails.config_key(0))
        if not item:
            return None
        return Config(
            mode=Mode(item["mode"]["S"]),
            chaos_percent=float(item["chaos_percent"]["N"]),
            chaos_until=moment_of(item.get("chaos_until")),
            version=int(item["version"]["N"]),
            changed_by=item["changed_by"]["S"],
            changed_at=moment_of(item.get("changed_at")),
        )

    def change_config(self, new: Config, record: ChangeRecord) -> bool:
        """Store all copies of `new`, if its version follows the present one.

        Return whether it did.
        """
        condition: Item = {"ConditionExpression": "attribute_not_exists(pk)"}
        if new.version > 1:
            condition = {
                "ConditionExpression": "version = :last",
                "ExpressionAttributeValues": {":last": number(new.version - 1)},
            }
        steps = []
        for copy in range(rails.CONFIG_COPIES):
            put = {
                "TableName": self._tables.state,
                "Item": {"pk": text(rails.config_key(copy)), **_config_item(new)},
                **condition,
            }
            steps.append(Step({"Put": put}, rails.MODE))
        try:
            self._run([*steps, *self._record_steps(record, new.version)])
        except Stopped:
            return False
        return True


def _config_item(config: Config) -> Item:
    item = {
        "mode": text(config.mode),
        "chaos_percent": number(config.chaos_percent),
        "version": number(config.version),
        "changed_by": text(config.changed_by),
    }
    if config.chaos_until is not None:
        item["chaos_until"] = at(config.chaos_until)
    if config.changed_at is not None:
        item["changed_at"] = at(config.changed_at)
    return item
