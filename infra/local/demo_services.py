"""Demo services for the healer to restart: tiny HTTP services, each a process with a control.

`service-control` is called by the steps of the SSM documents. It behaves as the one of a real
machine would: it restarts, it waits, and it fails or hangs where it is asked to.
"""

import fcntl
import json
import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from infra.local import starts
from infra.local.errors import ServiceFailed
from infra.local.ports import LOOPBACK, listening, port_setting
from infra.local.process import Process
from infra.local.service import Service, ServiceSpec
from infra.paths import ROOT

FAIL = "fail"
HANG = "hang"
MAX_ERROR_LENGTH = 300


class DemoService(Service):
    """One demo service, of any name."""

    def __init__(self, name: str, home: Path, port: int) -> None:
        """Keep its pid file, log and lock in `home`; listen on loopback `port`."""
        self.spec = ServiceSpec(name=name, label=name, remedy="read the log")
        super().__init__(home, port)

    @property
    def port_setting(self) -> str:
        """The name of the setting that moves the demo services: one for all of them."""
        return port_setting("services")

    def restart(self) -> None:
        """Restart it and wait until it answers; concurrent restarts happen one after the other.

        Raises:
            ServiceFailed: it does not start.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        with (self.home / f"{self.spec.name}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self.process.kill()
            self.launch()

    def command(self) -> Sequence[str]:
        """Return the command."""
        module = "infra.local.demo_server"
        return [sys.executable, "-m", module, str(self.home), self.spec.name, str(self.port)]

    def environment(self) -> Mapping[str, str]:
        """Return the process' environment."""
        return {"PYTHONPATH": str(ROOT)}


class DemoServices:
    """The demo services under `home`, each on its own loopback port."""

    def __init__(self, home: Path, ports: Mapping[str, int]) -> None:
        """Keep pid files, logs and behaviours in `home`; `ports` are by service name."""
        self.home = home
        self.ports = dict(ports)

    @property
    def bin(self) -> Path:
        """The folder of `service-control`."""
        return self.home / "bin"

    @property
    def address(self) -> str:
        """Where they answer, for people."""
        return ", ".join(f"{name} http://{LOOPBACK}:{port}" for name, port in self.ports.items())

    def describe(self) -> str:
        """Return in a few words what they are and where."""
        return f"demo services: {self.address}"

    def needs_download(self) -> bool:
        """Return whether the first start has to download something: never."""
        return False

    def service(self, name: str) -> DemoService:
        """Return the service `name`."""
        return DemoService(name, self.home, self.ports[name])

    def install(self) -> None:
        """Write the control, and the list of services that it reads."""
        self.bin.mkdir(parents=True, exist_ok=True)
        (self.home / "services.json").write_text(json.dumps(self.ports))
        command = [sys.executable, "-m", "infra.local.service_control", "--home", str(self.home)]
        script = self.bin / "service-control"
        script.write_text(
            f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(ROOT))} exec {shlex.join(command)} "$@"\n'
        )
        script.chmod(0o755)

    def join(self, ports: Mapping[str, int]) -> None:
        """Add services, by port; nothing is started."""
        self.ports |= ports
        self.install()

    def leave(self, names: Iterable[str]) -> None:
        """End these services and remove them."""
        for name in names:
            self.service(name).kill()
            del self.ports[name]
        self.install()

    def running(self) -> bool:
        """Return whether every service answers."""
        return all(self.service(name).running() for name in self.ports)

    def start(self) -> bool:
        """Start every service that does not run; return whether there was one.

        Raises:
            ServiceFailed: one does not start.
        """
        if self.running():
            return False
        self.install()
        for name in self.ports:
            if not self.service(name).running():
                self._start(name)
        return True

    def stop(self) -> None:
        """Stop every service, and those that a drill left behind."""
        for name in {*self.ports, *(file.stem for file in self.home.glob("*.pid"))}:
            Process(name, self.home).stop()

    def restart(self, name: str) -> None:
        """Restart one service and wait until it answers. Raises `ServiceFailed`."""
        self.service(name).restart()

    def kill(self, name: str) -> None:
        """Crash one service."""
        self.service(name).kill()

    def answers(self, name: str) -> bool:
        """Return whether a service accepts connections."""
        return listening(self.ports[name])

    def behave(self, name: str, behaviour: str) -> None:
        """Let the control `fail` or `hang` for a service from now on, or else work."""
        (self.home / f"{name}.behaviour").write_text(behaviour)

    def _start(self, name: str) -> None:
        """Start a service through its control: the starter of a process has to reap it."""
        with starts.spawning(self.service(name).process):
            pass  # the control starts it, but an interrupted command has to stop it
        result = subprocess.run(
            [self.bin / "service-control", "restart", name], capture_output=True, text=True
        )
        if result.returncode:
            raise ServiceFailed(
                "services",
                result.stderr.strip()[-MAX_ERROR_LENGTH:],
                remedy="read the log and try again",
            )
