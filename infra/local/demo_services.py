"""Demo services to be healed: tiny supervised HTTP services, and the control that the documents' steps call.

`service-control` behaves as one of a real machine would: it restarts, it waits, it fails or
hangs where it is told to.
"""

import argparse
import fcntl
import http.server
import json
import shlex
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from infra.aws.package import ROOT
from infra.local.process import PartFailed, Process, listening

START_SECONDS = 20.0
POLL_SECONDS = 0.05
FAIL = "fail"
HANG = "hang"
HANG_SECONDS = 600


class DemoServices:
    """The services under `home`, each on its own loopback port."""

    def __init__(self, home: Path, ports: Mapping[str, int]) -> None:
        """Keep pid files, logs and behaviours in `home`."""
        self.home = home
        self.ports = dict(ports)
        self.processes = {name: Process(name, home) for name in ports}

    @property
    def bin(self) -> Path:
        """Where `service-control` is."""
        return self.home / "bin"

    def install(self) -> None:
        """Write the control, and which services there are."""
        self.bin.mkdir(parents=True, exist_ok=True)
        (self.home / "services.json").write_text(json.dumps(self.ports))
        command = [
            sys.executable,
            "-m",
            "infra.local.demo_services",
            "--home",
            str(self.home),
        ]
        script = self.bin / "service-control"
        script.write_text(
            f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(ROOT))} exec {shlex.join(command)} "$@"\n'
        )
        script.chmod(0o755)

    def join(self, ports: Mapping[str, int]) -> None:
        """Let there be these services too, by port; nothing is started."""
        self.ports |= ports
        self.processes |= {name: Process(name, self.home) for name in ports}
        self.install()

    def leave(self, names: Iterable[str]) -> None:
        """End these services, and forget them."""
        for name in names:
            self.processes.pop(name).kill()
            del self.ports[name]
        self.install()

    def running(self) -> bool:
        """Tell whether every service answers."""
        return all(
            process.running() and self.answers(name) for name, process in self.processes.items()
        )

    def start(self) -> bool:
        """Start every service that does not run; return whether there was one. Raises `PartFailed`."""
        if self.running():
            return False
        self.install()
        for name, process in self.processes.items():
            if not (process.running() and listening(self.ports[name])):
                # by the control, as everybody else: whoever starts a process has to bury it
                # too
                done = subprocess.run(
                    [self.bin / "service-control", "restart", name],
                    capture_output=True,
                    text=True,
                )
                if done.returncode:
                    raise PartFailed(
                        "services",
                        done.stderr.strip()[-300:],
                        remedy="read the log and try again",
                    )
        return True

    def restart(self, name: str) -> None:
        """Restart one service and wait until it answers; two at once: one after the other. Raises `PartFailed`."""
        process = self.processes[name]
        port = self.ports[name]
        self.home.mkdir(parents=True, exist_ok=True)
        with (self.home / f"{name}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            process.kill()
            process.start(
                [
                    sys.executable,
                    "-m",
                    "infra.local.demo_services",
                    "--home",
                    str(self.home),
                    "serve",
                    name,
                    str(port),
                ],
                ready=lambda: listening(port),
                seconds=START_SECONDS,
                remedy="read the log",
                env={"PYTHONPATH": str(ROOT)},
            )

    def stop(self) -> None:
        """Stop every service, and those that a drill left behind."""
        for file in self.home.glob("*.pid"):
            Process(file.stem, self.home).stop()

    def kill(self, name: str) -> None:
        """Crash one service."""
        self.processes[name].kill()

    def answers(self, name: str) -> bool:
        """Tell whether a service accepts connections."""
        return listening(self.ports[name])

    def behave(self, name: str, how: str) -> None:
        """Let the control `fail` or `hang` for a service from now on; anything else lets it work."""
        (self.home / f"{name}.behaviour").write_text(how)


class _Handler(http.server.BaseHTTPRequestHandler):
    name = ""
    started = time.time()

    def do_GET(self) -> None:
        """Answer /metrics as an exporter does, and anything else as a healthy service does."""
        plain = self.path == "/metrics"
        body = (
            f"process_start_time_seconds {self.started}\n"
            if plain
            else json.dumps({"service": self.name})
        )
        self.send_response(200)
        self.send_header(
            "Content-Type", "text/plain; version=0.0.4" if plain else "application/json"
        )
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


def _serve(name: str, port: int) -> int:
    handler = type("Handler", (_Handler,), {"name": name})
    http.server.ThreadingHTTPServer(("127.0.0.1", port), handler).serve_forever()
    return 0


def _control(services: DemoServices, command: str, name: str, rest: list[str]) -> int:
    behaviour = services.home / f"{name}.behaviour"
    how = behaviour.read_text() if behaviour.exists() else ""
    if name not in services.ports:
        print(f"there is no service {name}", file=sys.stderr)
        return 4
    if how == FAIL:
        print(f"{name} cannot be started", file=sys.stderr)
        return 3
    if how == HANG:
        time.sleep(HANG_SECONDS)
    if command == "restart":
        try:
            services.restart(name)
        except PartFailed as problem:
            print(problem, file=sys.stderr)
            return 5
        print(f"{name} restarted")
        return 0
    port = int(rest[0]) if command == "wait-port" else services.ports[name]
    deadline = time.monotonic() + float(rest[-1])
    while not listening(port):
        if time.monotonic() > deadline:
            print(f"{name} does not answer on {port}", file=sys.stderr)
            return 6
        time.sleep(POLL_SECONDS)
    print(f"{name} answers")
    return 0


def main() -> int:
    """Serve, or control, from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m infra.local.demo_services", description=__doc__
    )
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("command", choices=("serve", "restart", "wait", "wait-port"))
    parser.add_argument("name")
    parser.add_argument("rest", nargs="*")
    chosen = parser.parse_args()
    if chosen.command == "serve":
        return _serve(chosen.name, int(chosen.rest[0]))
    ports = json.loads((chosen.home / "services.json").read_text())
    return _control(DemoServices(chosen.home, ports), chosen.command, chosen.name, chosen.rest)


if __name__ == "__main__":
    sys.exit(main())
