"""`python -m infra.ops`: the commands of an operator.

Settings come from the environment; docs/configuration.md lists them.
"""

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from kafka.errors import KafkaError

from chalicelib.bootstrap import container
from chalicelib.shared.errors import AetherLinkError
from infra.ops import audit, migrate, outbox, topics

RUN_SECONDS = 60.0
TERMINATED = 128 + signal.SIGTERM

Result = Mapping[str, Any]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        result = COMMANDS[arguments.command](arguments)
    except (AetherLinkError, KafkaError) as error:
        print(f"✗ {error}", file=sys.stderr)
        return 1
    # Standard output may already have the exported events.
    stream = sys.stderr if getattr(arguments, "out", "") == "-" else sys.stdout
    print(json.dumps(result) if arguments.json else _readable(result), file=stream)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.ops", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    commands = parser.add_subparsers(dest="command", required=True)
    migration = commands.add_parser("migrate", help="bring the database's schema up to date")
    migration.add_argument(
        "--url",
        default=os.environ.get("OWNER_DATABASE_URL"),
        help="URL of the database, with its owner's user (default: OWNER_DATABASE_URL)",
    )
    commands.add_parser("topics", help="create the Kafka topics that are missing")
    relay = commands.add_parser("relay", help="relay events from the outbox to Kafka")
    relay.add_argument(
        "--seconds", type=float, default=RUN_SECONDS, help="how long to run (default: %(default)s)"
    )
    relay.add_argument("--until-idle", action="store_true", help="end when nothing is left to send")
    relay.add_argument("--forever", action="store_true", help="start again after each run")
    outbox.add_commands(commands.add_parser("outbox", help="administer the outbox"))
    audit.add_commands(commands.add_parser("audit", help="export the healer's audit log"))
    return parser


def _migrate(arguments: argparse.Namespace) -> Result:
    if not arguments.url:
        raise SystemExit("✗ Name the database: --url, or OWNER_DATABASE_URL.")
    migrate.upgrade(arguments.url, shards=container().settings.outbox.shards)
    return {"migrated": True}


def _topics(_: argparse.Namespace) -> Result:
    settings = replace(container().settings, kafka=container().outbox.kafka_settings())
    return {"created": topics.ensure(settings)}


def _relay(arguments: argparse.Namespace) -> Result:
    # Exiting by exception lets the relay give its leases back.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    while True:
        relay = container().outbox.relay()
        report = relay.run(arguments.seconds, until_idle=arguments.until_idle)
        if not arguments.forever:
            return asdict(report)


COMMANDS: Mapping[str, Callable[[argparse.Namespace], Result]] = {
    "migrate": _migrate,
    "topics": _topics,
    "relay": _relay,
    "outbox": outbox.run,
    "audit": audit.run,
}


def _readable(result: Result) -> str:
    lines = []
    for name, value in result.items():
        if isinstance(value, list):
            lines.append(f"{name}:")
            lines += [f"  {_text(item)}" for item in value]
        else:
            lines.append(f"{name}: {value}")
    return "\n".join(lines)


def _text(item: object) -> str:
    return item if isinstance(item, str) else json.dumps(item)


if __name__ == "__main__":
    sys.exit(main())
