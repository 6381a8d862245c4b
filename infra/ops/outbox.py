"""`python -m infra.ops outbox ...`: the operators' desk from a shell, for every tenant at once."""

import argparse
import getpass
import json
import sys
from typing import Any
from uuid import UUID

from chalicelib.bootstrap import container
from chalicelib.outbox.admin import Operator, Replay, ReplayRequest
from chalicelib.shared.schema import Model, parse

FOLLOW_SECONDS = 2.0


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Add this tool's commands and their options to `parser`."""
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser(
        "status",
        help="how many events wait, how old the oldest is, how many streams are parked",
    )
    actions.add_parser("parked", help="list parked streams with their errors")
    for action, meaning in (
        ("requeue", "let a parked stream flow again, in order"),
        (
            "discard",
            "take the refused event out of a parked stream for good, and let the rest flow",
        ),
    ):
        actions.add_parser(action, help=meaning).add_argument("stream_key", help="such as job:<id>")
    replaying = actions.add_parser("replay", help="send published events again")
    replaying.add_argument("--event-type", help="one type only, such as JobCreated")
    replaying.add_argument("--tenant", type=UUID, help="one tenant only")
    replaying.add_argument(
        "--since",
        required=True,
        help="published from then on, such as 2030-01-31T09:00:00Z",
    )
    replaying.add_argument("--until", required=True, help="published before then")
    replaying.add_argument(
        "--detach", action="store_true", help="leave it to the scheduled replayer"
    )
    actions.add_parser("upkeep", help="make the archive's partitions ahead and drop the old ones")


def run(chosen: argparse.Namespace) -> dict[str, Any]:
    """Carry out one command. Raises the product's own errors."""
    operator = Operator(f"cli:{getpass.getuser()}", getattr(chosen, "tenant", None))
    desk = container().outbox.admin
    if chosen.action == "status":
        return _plain(desk.backlog(operator))
    if chosen.action == "parked":
        return {"parked": [_plain(one) for one in desk.parked(operator)]}
    if chosen.action == "requeue":
        return {
            "streamKey": chosen.stream_key,
            "requeued": desk.requeue(operator, chosen.stream_key),
        }
    if chosen.action == "discard":
        return {
            "streamKey": chosen.stream_key,
            "discarded": str(desk.discard(operator, chosen.stream_key)),
        }
    if chosen.action == "upkeep":
        return dict(container().outbox.upkeep())
    request = {"eventType": chosen.event_type, "since": chosen.since, "until": chosen.until}
    replay = desk.request_replay(operator, parse(ReplayRequest, json.dumps(request).encode()))
    return _plain(replay if chosen.detach else _carry_out(operator, replay))


def _carry_out(operator: Operator, replay: Replay) -> Replay:
    """Replay here and now, telling how far it is; the scheduled replayer may help, and goes on if this ends."""
    while not replay.done:
        print(f"· {replay.replayed} of {replay.total} events", file=sys.stderr, flush=True)
        container().outbox.replayer().run(FOLLOW_SECONDS)
        before = replay
        replay = container().outbox.admin.replay(operator, replay.id)
        if replay == before:
            container().clock.sleep(FOLLOW_SECONDS)
    return replay


def _plain(value: Model) -> dict[str, Any]:
    return value.model_dump(mode="json", by_alias=True)
