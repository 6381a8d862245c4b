"""`python -m infra.local`: the local stack from the command line. The Makefile's targets call it."""

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from uuid import UUID

from chalicelib.config import Settings
from chalicelib.security.identity import Role
from infra.aws.package import ROOT
from infra.local import demo, dev
from infra.local.healing import WATCHERS
from infra.local.issuer_server import DEFAULT_TENANT
from infra.local.process import PartFailed, free_port
from infra.local.stack import PARTS, Ports, Stack
from infra.ops import topics

TAIL_LINES = 40
HOME = Path(os.environ.get("AETHERLINK_HOME") or ROOT / ".local")


def main() -> int:
    """Run one command; return the exit code: 0 done, 1 failed, 2 used wrongly."""
    parser = argparse.ArgumentParser(prog="python -m infra.local", description=__doc__)
    parser.add_argument(
        "command", choices=("up", "down", "status", "logs", "urls", "demo", "dev", "token")
    )
    parser.add_argument("part", nargs="?", choices=PARTS, help="for logs: one part only")
    parser.add_argument("--follow", action="store_true", help="for logs: go on as lines come")
    parser.add_argument(
        "--json",
        action="store_true",
        help="print the result as JSON, progress on standard error",
    )
    parser.add_argument("--home", type=Path, default=HOME, help="where state is kept")
    parser.add_argument(
        "--port",
        type=int,
        default=8000,
        help="for dev: where the API listens, 0 for a free port",
    )
    parser.add_argument(
        "--role", type=Role, default=Role.SALES, help="for token: one of " + ", ".join(Role)
    )
    parser.add_argument(
        "--tenant", type=UUID, default=DEFAULT_TENANT, help="for token: whose data, a UUID"
    )
    chosen = parser.parse_args()
    output = sys.stderr if chosen.json else sys.stdout
    try:
        stack = Stack(
            chosen.home.resolve(),
            Ports.from_env(),
            say=lambda line: print(line, file=output, flush=True),
        )
        return int(globals()[f"_{chosen.command}"](stack, chosen) or 0)
    except (PartFailed, demo.DemoFailed) as problem:
        print(f"✗ {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _up(stack: Stack, chosen: argparse.Namespace) -> None:
    started = time.monotonic()
    stack.up()
    if not chosen.json:
        print(f"\nUp in {time.monotonic() - started:.0f} s.\n")
    _urls(stack, chosen)


def _down(stack: Stack, _: argparse.Namespace) -> None:
    stack.down()


def _status(stack: Stack, chosen: argparse.Namespace) -> int:
    status = stack.status()
    if chosen.json:
        print(json.dumps(status))
    else:
        for name, part in status["parts"].items():
            print(
                f"{'✓' if part['running'] else '✗'} {name:12} {part['address']} {part.get('kind', '')}".rstrip()
            )
        print(
            f"{'✓' if status['deployed'] else '✗'} {'functions':12} {status['api'] or 'not deployed: run `make up`'}"
        )
    return (
        0 if status["deployed"] and all(part["running"] for part in status["parts"].values()) else 1
    )


def _urls(stack: Stack, chosen: argparse.Namespace) -> int:
    status = stack.status()
    api = status["api"]
    if chosen.json:
        parts = {
            "kafka": stack.kafka.bootstrap_servers,
            "emulator": stack.emulator.url,
            "issuer": stack.issuer.url,
        }
        print(json.dumps({"api": api, **parts}))
    elif api:
        shown = {
            "API": f"{api}/",
            "health": f"{api}/health/ready",
            "PostgreSQL": stack.postgres.url("aetherlink_api"),
        }
        shown |= {
            "Kafka": stack.kafka.bootstrap_servers,
            "AWS": stack.emulator.url,
            "OIDC issuer": stack.issuer.url,
        }
        watchers = [name for name in WATCHERS[::-1] if name in status["parts"]]
        shown |= {name.capitalize(): status["parts"][name]["address"] for name in watchers}
        for name, value in shown.items():
            print(f"  {name:12} {value}")
        print()
        print("  a token for each role (8 hours), for tenant", DEFAULT_TENANT)
        for role in Role:
            print(f"    TOKEN=$(make -s token ROLE={role})")
        print()
        print(
            "  make demo   walks through the main job\n  make down   stops everything, data stays"
        )
    else:
        print("✗ nothing is deployed: run `make up`", file=sys.stderr)
    return 0 if api else 1


def _logs(stack: Stack, chosen: argparse.Namespace) -> int:
    files = {name: file for name, file in stack.logs().items() if chosen.part in (None, name)}
    if not files:
        print("✗ there are no logs yet: run `make up`", file=sys.stderr)
        return 1
    command = [
        "tail",
        "-n",
        str(TAIL_LINES),
        *(["-F"] if chosen.follow else []),
        *map(str, files.values()),
    ]
    return subprocess.run(command, check=False).returncode


def _demo(stack: Stack, chosen: argparse.Namespace) -> int:
    api = stack.status()["api"]
    if not api:
        print("✗ nothing is deployed: run `make up`", file=sys.stderr)
        return 1
    output = sys.stderr if chosen.json else sys.stdout
    names = [name for name in topics.names(Settings()) if "dlq" not in name]
    seen = demo.run(
        api,
        stack.issuer.token,
        stack.kafka.bootstrap_servers,
        names,
        say=lambda line: print(line, file=output, flush=True),
    )
    if chosen.json:
        print(json.dumps([asdict(record) for record in seen]))
    return 0


def _token(stack: Stack, chosen: argparse.Namespace) -> None:
    token = stack.issuer.token(chosen.role, chosen.tenant)
    about = {
        "token": token,
        "tenant": str(chosen.tenant),
        "role": str(chosen.role),
        "issuer": stack.issuer.url,
    }
    print(json.dumps(about) if chosen.json else token)


def _dev(stack: Stack, chosen: argparse.Namespace) -> None:
    stack.up_data()
    env = {**os.environ, **stack.environment(), "STAGE": "local"}
    dev.serve(chosen.port or free_port(), env, say=lambda line: print(line, flush=True))


if __name__ == "__main__":
    sys.exit(main())
