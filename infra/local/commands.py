"""The commands of `python -m infra.local`."""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn
from uuid import UUID

from chalicelib.security.identity import Role
from infra.local.addresses import addresses
from infra.local.errors import ServiceFailed
from infra.local.identity import DEFAULT_TENANT
from infra.local.ports import MAX_PORT, SERVICES, Ports, free_port
from infra.local.preflight import command_failed, storage_failed
from infra.local.stack import Stack
from infra.local.starts import Starts
from infra.paths import HOME

TAIL_LINES = 40
NOT_DEPLOYED = "✗ nothing is deployed: run `make up`"


def main() -> int:
    """Run one command; return the exit code: 0 done, 1 failed, 2 wrong usage."""
    arguments = _parser().parse_args()
    output = sys.stderr if arguments.json else sys.stdout
    home = arguments.home.resolve()
    try:
        stack = Stack(home, Ports.from_env(), say=lambda line: print(line, file=output, flush=True))
        return COMMANDS[arguments.command](stack, arguments)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # `make status | head -1`
        return 1
    except OSError as error:
        failure = storage_failed(error, home)
    except subprocess.SubprocessError as error:
        failure = command_failed(error)
    except ServiceFailed as error:
        failure = error
    print(f"✗ {failure}", file=sys.stderr)
    return 1


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the whole usage before it."""

    def error(self, message: str) -> NoReturn:
        """Print `message` and exit with 2."""
        self.exit(2, f"✗ {message}\n  remedy: see `{self.prog} --help`\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m infra.local", description="The local stack.")
    parser.add_argument("command", choices=tuple(COMMANDS))
    parser.add_argument("service", nargs="?", choices=SERVICES, help="for logs: only this service")
    parser.add_argument("--follow", action="store_true", help="for logs: keep printing new lines")
    parser.add_argument(
        "--json", action="store_true", help="print the result as JSON, progress on standard error"
    )
    parser.add_argument("--home", type=Path, default=HOME, help="where state is kept")
    parser.add_argument(
        "--port",
        type=_port,
        default=8000,
        help="for dev: where the API listens, 0 for a free port",
    )
    roles = ", ".join(Role)
    parser.add_argument("--role", type=_role, default=Role.SALES, help=f"for token: one of {roles}")
    parser.add_argument(
        "--tenant", type=_tenant, default=DEFAULT_TENANT, help="for token: the tenant's id, a UUID"
    )
    return parser


def _role(text: str) -> Role:
    try:
        return Role(text)
    except ValueError:
        roles = ", ".join(Role)
        raise argparse.ArgumentTypeError(f"{text!r} is not a role: it is one of {roles}") from None


def _tenant(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        reason = f"{text!r} is not a tenant's id, which is a UUID like {DEFAULT_TENANT}"
        raise argparse.ArgumentTypeError(reason) from None


def _port(text: str) -> int:
    if not (text.isdecimal() and int(text) <= MAX_PORT):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 0 to {MAX_PORT}")
    return int(text)


def _up(stack: Stack, arguments: argparse.Namespace) -> int:
    started = time.monotonic()
    Starts().run(stack.up)
    if not arguments.json:
        print(f"\nUp in {time.monotonic() - started:.0f} s.\n")
    return _urls(stack, arguments)


def _down(stack: Stack, _: argparse.Namespace) -> int:
    stack.down()
    return 0


def _status(stack: Stack, arguments: argparse.Namespace) -> int:
    status = stack.status()
    services = status["parts"]
    if arguments.json:
        print(json.dumps(status))
    else:
        for name, service in services.items():
            mark = "✓" if service["running"] else "✗"
            print(f"{mark} {name:12} {service['address']} {service.get('kind', '')}".rstrip())
        mark = "✓" if status["deployed"] else "✗"
        print(f"{mark} {'functions':12} {status['api'] or 'not deployed: run `make up`'}")
    running = all(service["running"] for service in services.values())
    return 0 if status["deployed"] and running else 1


def _urls(stack: Stack, arguments: argparse.Namespace) -> int:
    status = stack.status()
    api_url = status["api"]
    if arguments.json:
        urls = {
            "api": api_url,
            "kafka": stack.kafka.bootstrap_servers,
            "emulator": stack.emulator.url,
            "issuer": stack.issuer.url,
        }
        print(json.dumps(urls))
    elif api_url:
        _print_urls(stack, api_url)
    else:
        print(NOT_DEPLOYED, file=sys.stderr)
    return 0 if api_url else 1


def _print_urls(stack: Stack, api_url: str) -> None:
    for title, lines in addresses(stack, api_url).items():
        print(f"  {title}")
        for name, text in lines.items():
            print(f"    {name:14} {text}")
        print()


def _logs(stack: Stack, arguments: argparse.Namespace) -> int:
    files = [str(file) for name, file in stack.logs().items() if arguments.service in (None, name)]
    if not files:
        print("✗ there are no logs yet: run `make up`", file=sys.stderr)
        return 1
    follow = ["-F"] if arguments.follow else []
    sys.stdout.flush()
    command = ["tail", "-n", str(TAIL_LINES), *follow, *files]
    return os.execvp(command[0], command)  # noqa: S606 -- in our place, so that a signal ends it


def _demo(stack: Stack, arguments: argparse.Namespace) -> int:
    from chalicelib.config import Settings
    from infra.local import demo
    from infra.ops import topics

    api_url = stack.status()["api"]
    if not api_url:
        print(NOT_DEPLOYED, file=sys.stderr)
        return 1
    output = sys.stderr if arguments.json else sys.stdout
    settings = Settings()
    dead_letters = settings.outbox.dead_letter_topic
    try:
        records = demo.run(
            api_url,
            stack.issuer.token,
            stack.kafka.bootstrap_servers,
            [name for name in topics.names(settings) if name != dead_letters],
            say=lambda line: print(line, file=output, flush=True),
        )
    except demo.DemoFailed as error:
        print(f"✗ {error}", file=sys.stderr)
        return 1
    if arguments.json:
        print(json.dumps([asdict(record) for record in records]))
    return 0


def _token(stack: Stack, arguments: argparse.Namespace) -> int:
    token = stack.issuer.token(arguments.role, arguments.tenant)
    if arguments.json:
        details = {
            "token": token,
            "tenant": str(arguments.tenant),
            "role": str(arguments.role),
            "issuer": stack.issuer.url,
        }
        print(json.dumps(details))
    else:
        print(token)
    return 0


def _dev(stack: Stack, arguments: argparse.Namespace) -> int:
    from infra.local import dev

    starts = Starts()
    try:
        starts.run(stack.up_data)
        environment = {**os.environ, **stack.environment(), "STAGE": "local"}
        port = arguments.port or free_port()
        dev.serve(port, environment, say=lambda line: print(line, flush=True))
    finally:
        starts.stop()  # what ran before, by `make up`, stays
    return 0


COMMANDS: dict[str, Callable[[Stack, argparse.Namespace], int]] = {
    "up": _up,
    "down": _down,
    "status": _status,
    "logs": _logs,
    "urls": _urls,
    "demo": _demo,
    "dev": _dev,
    "token": _token,
}


if __name__ == "__main__":
    sys.exit(main())
