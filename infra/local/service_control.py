"""The demo services' control: restart a service, or wait until it answers.

Exit codes: 0 done, 3 the service fails as asked, 4 no such service, 5 it does not start,
6 it does not answer in time.
"""

import argparse
import json
import sys
import time
from pathlib import Path

from infra.local.demo_services import FAIL, HANG, DemoServices
from infra.local.errors import ServiceFailed
from infra.local.ports import listening

POLL_SECONDS = 0.05
HANG_SECONDS = 600
FAILED_AS_ASKED = 3
NO_SUCH_SERVICE = 4
DOES_NOT_START = 5
DOES_NOT_ANSWER = 6


def main() -> int:
    """Run one command of the control; return the exit code."""
    parser = argparse.ArgumentParser(prog="service-control", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="where the services' state is")
    parser.add_argument("command", choices=("restart", "wait", "wait-port"))
    parser.add_argument("name", help="the service")
    parser.add_argument("rest", nargs="*", help="for wait: SECONDS; for wait-port: PORT SECONDS")
    arguments = parser.parse_args()
    ports = json.loads((arguments.home / "services.json").read_text())
    services = DemoServices(arguments.home, ports)
    name = arguments.name
    if name not in services.ports:
        return _failed(f"there is no service {name}", NO_SUCH_SERVICE)
    file = services.home / f"{name}.behaviour"
    behaviour = file.read_text() if file.exists() else ""
    if behaviour == FAIL:
        return _failed(f"{name} cannot be started", FAILED_AS_ASKED)
    if behaviour == HANG:
        time.sleep(HANG_SECONDS)
    if arguments.command == "restart":
        return _restart(services, name)
    on_port = arguments.command == "wait-port"
    port = int(arguments.rest[0]) if on_port else services.ports[name]
    return _wait(name, port, float(arguments.rest[-1]))


def _restart(services: DemoServices, name: str) -> int:
    try:
        services.restart(name)
    except ServiceFailed as error:
        return _failed(str(error), DOES_NOT_START)
    print(f"{name} restarted")
    return 0


def _wait(name: str, port: int, seconds: float) -> int:
    deadline = time.monotonic() + seconds
    while not listening(port):
        if time.monotonic() > deadline:
            return _failed(f"{name} does not answer on {port}", DOES_NOT_ANSWER)
        time.sleep(POLL_SECONDS)
    print(f"{name} answers")
    return 0


def _failed(text: str, code: int) -> int:
    print(text, file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
