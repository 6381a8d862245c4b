"""`python -m infra.ops outbox ...`: administers the outbox of all tenants from a shell."""

import argparse
import getpass
import json
import sys
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from chalicelib.bootstrap import container
from chalicelib.outbox.admin import Operator, OutboxAdmin, Replay, ReplayRequest
from chalicelib.shared.schema import Model, parse

REPLAY_RUN_SECONDS = 2.0

Result = dict[str, Any]


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Add the commands and their options to `parser`."""
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser(
        "status", help="show pending events, the age of the oldest one, and parked streams"
    )
    actions.add_parser("parked", help="list parked streams with their errors")
    requeue = actions.add_parser("requeue", help="send a parked stream again, in order")
    requeue.add_argument("stream_key", help="such as job:<id>")
    discard = actions.add_parser(
        "discard", help="remove the refused event from a parked stream for good; send the rest"
    )
    discard.add_argument("stream_key", help="such as job:<id>")
    replay = actions.add_parser("replay", help="send published events again")
    replay.add_argument("--event-type", help="only this type, such as JobCreated")
    replay.add_argument("--tenant", type=UUID, help="only this tenant")
    replay.add_argument(
        "--since", required=True, help="published at or after this time: 2030-01-31T09:00:00Z"
    )
    replay.add_argument("--until", required=True, help="published before this time")
    replay.add_argument(
        "--detach",
        action="store_true",
        help="only request it; the scheduled replayer carries it out",
    )
    actions.add_parser("upkeep", help="create the archive's next partitions; drop expired ones")


def run(arguments: argparse.Namespace) -> Result:
    """Run one command, and return its result.

    Raises:
        errors.AetherLinkError: the command failed; the text says why.
    """
    operator = Operator(f"cli:{getpass.getuser()}", getattr(arguments, "tenant", None))
    return ACTIONS[arguments.action](container().outbox.admin, operator, arguments)


def _status(admin: OutboxAdmin, operator: Operator, _: argparse.Namespace) -> Result:
    return _to_dict(admin.backlog(operator))


def _parked(admin: OutboxAdmin, operator: Operator, _: argparse.Namespace) -> Result:
    return {"parked": [_to_dict(stream) for stream in admin.parked(operator)]}


def _requeue(admin: OutboxAdmin, operator: Operator, arguments: argparse.Namespace) -> Result:
    requeued = admin.requeue(operator, arguments.stream_key)
    return {"streamKey": arguments.stream_key, "requeued": requeued}


def _discard(admin: OutboxAdmin, operator: Operator, arguments: argparse.Namespace) -> Result:
    event_id = admin.discard(operator, arguments.stream_key)
    return {"streamKey": arguments.stream_key, "discarded": str(event_id)}


def _replay(admin: OutboxAdmin, operator: Operator, arguments: argparse.Namespace) -> Result:
    fields = {
        "eventType": arguments.event_type,
        "since": arguments.since,
        "until": arguments.until,
    }
    request = parse(ReplayRequest, json.dumps(fields).encode())
    replay = admin.request_replay(operator, request)
    if not arguments.detach:
        replay = _carry_out(admin, operator, replay)
    return _to_dict(replay)


def _upkeep(_: OutboxAdmin, __: Operator, ___: argparse.Namespace) -> Result:
    return dict(container().outbox.upkeep())


ACTIONS: Mapping[str, Callable[[OutboxAdmin, Operator, argparse.Namespace], Result]] = {
    "status": _status,
    "parked": _parked,
    "requeue": _requeue,
    "discard": _discard,
    "replay": _replay,
    "upkeep": _upkeep,
}


def _carry_out(admin: OutboxAdmin, operator: Operator, replay: Replay) -> Replay:
    """Carry out a replay in this process, and print its progress.

    If this process ends, the scheduled replayer goes on; while both run, they take turns.
    """
    while not replay.done:
        print(f"· {replay.replayed} of {replay.total} events", file=sys.stderr, flush=True)
        container().outbox.replayer().run(REPLAY_RUN_SECONDS)
        previous = replay
        replay = admin.replay(operator, replay.id)
        if replay == previous:
            container().clock.sleep(REPLAY_RUN_SECONDS)
    return replay


def _to_dict(value: Model) -> Result:
    return value.model_dump(mode="json", by_alias=True)
