"""`python -m infra.ops`: what an operator does by hand. Settings come from the environment (docs/configuration.md)."""

import argparse
import json
import os
import signal
import sys
from dataclasses import asdict
from typing import Any

from kafka.errors import KafkaError

from chalicelib.bootstrap import container
from chalicelib.shared.errors import AetherLinkError
from infra.ops import audit, migrate, outbox, topics

FOREVER_SLICE_SECONDS = 60.0


def main() -> int:
    """Run one command; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m infra.ops", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    commands = parser.add_subparsers(dest="command", required=True)
    migrating = commands.add_parser("migrate", help="bring the database up to date")
    migrating.add_argument(
        "--url",
        default=os.environ.get("OWNER_DATABASE_URL"),
        help="the database, as its owner",
    )
    commands.add_parser("topics", help="create the Kafka topics that are missing")
    relaying = commands.add_parser("relay", help="relay the outbox to Kafka")
    relaying.add_argument("--seconds", type=float, default=FOREVER_SLICE_SECONDS)
    relaying.add_argument(
        "--until-idle", action="store_true", help="end when nothing is left to send"
    )
    relaying.add_argument("--forever", action="store_true", help="run after run, until ended")
    outbox.add_commands(commands.add_parser("outbox", help="look after the outbox"))
    audit.add_commands(commands.add_parser("audit", help="take the healer's audit log out"))
    chosen = parser.parse_args()
    try:
        result = globals()[f"_{chosen.command}"](chosen)
    except (AetherLinkError, KafkaError) as problem:
        print(f"✗ {problem}", file=sys.stderr)
        return 1
    to = sys.stderr if getattr(chosen, "out", "") == "-" else sys.stdout
    print(json.dumps(result) if chosen.json else _readable(result), file=to)
    return 0


def _migrate(chosen: argparse.Namespace) -> dict[str, Any]:
    if not chosen.url:
        raise SystemExit("✗ say which database: --url, or OWNER_DATABASE_URL")
    migrate.upgrade(chosen.url, shards=container().settings.outbox.shards)
    return {"migrated": True}


def _topics(_: argparse.Namespace) -> dict[str, Any]:
    return {
        "created": topics.ensure(container().settings, kafka=container().outbox.kafka_settings())
    }


def _outbox(chosen: argparse.Namespace) -> dict[str, Any]:
    return outbox.run(chosen)


def _audit(chosen: argparse.Namespace) -> dict[str, Any]:
    return audit.run(chosen)


def _relay(chosen: argparse.Namespace) -> dict[str, Any]:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that leases are given back
    while True:
        report = container().outbox.relay().run(chosen.seconds, until_idle=chosen.until_idle)
        if not chosen.forever:
            return asdict(report)


def _readable(result: dict[str, Any]) -> str:
    lines = []
    for name, value in result.items():
        if isinstance(value, list):
            lines += [
                f"{name}:",
                *(f"  {one}" if isinstance(one, str) else f"  {json.dumps(one)}" for one in value),
            ]
        else:
            lines.append(f"{name}: {value}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
