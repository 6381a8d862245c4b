"""Processes that outlive the command that started them: started, watched, and ended for certain."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

POLL_SECONDS = 0.05
STOP_SECONDS = 10.0
TAIL_LINES = 8


class PartFailed(Exception):
    """A part of the stack cannot do its work; the text names the part, its log and the remedy."""

    def __init__(self, part: str, reason: str, *, remedy: str, log: Path | None = None) -> None:
        """Compose the text; the last lines of `log` are shown with it."""
        lines = [f"{part}: {reason}"]
        if log and log.exists():
            tail = log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
            lines += [f"    | {line}" for line in tail] + [f"  log:    {log}"]
        super().__init__("\n".join([*lines, f"  remedy: {remedy}"]))


class Process:
    """One process with its pid file and its log, known again after the starter has gone."""

    def __init__(self, name: str, home: Path, *, user: str | None = None) -> None:
        """Keep `name`.pid and `name`.log in `home`; run as `user` where that is given (root only)."""
        self.name, self.user = name, user
        self.log = home / f"{name}.log"
        self._pid_file = home / f"{name}.pid"

    def running(self) -> bool:
        """Tell whether the process lives; another one with a recycled pid does not count."""
        return self._process() is not None

    def start(
        self,
        command: Sequence[str],
        *,
        ready: Callable[[], bool],
        seconds: float,
        remedy: str,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Start `command` in a session of its own and wait until it is `ready`.

        Raises:
            PartFailed: it exited, or was not ready within `seconds`.
        """
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **(env or {})},
                start_new_session=True,
                user=self.user,
                group="nogroup" if self.user else None,
                extra_groups=[] if self.user else None,
                cwd="/",
            )
        self._pid_file.write_text(json.dumps({"pid": child.pid, "created": psutil.Process(child.pid).create_time()}))
        deadline = time.monotonic() + seconds
        while not ready():
            if child.poll() is not None:
                self._pid_file.unlink(missing_ok=True)
                raise PartFailed(self.name, f"exited with {child.returncode}", remedy=remedy, log=self.log)
            if time.monotonic() > deadline:
                self.stop()
                raise PartFailed(self.name, f"not ready after {seconds:.0f} s", remedy=remedy, log=self.log)
            time.sleep(POLL_SECONDS)

    def stop(self, *, with_signal: signal.Signals = signal.SIGTERM, seconds: float = STOP_SECONDS) -> None:
        """End the process and whatever it started: asked first, killed after `seconds`."""
        process = self._process()
        if process is not None:
            family = [process, *process.children(recursive=True)]
            self._tell(process, signal.SIGCONT)
            process.send_signal(with_signal)
            psutil.wait_procs([process], timeout=seconds)
            self._end(family)
        self._pid_file.unlink(missing_ok=True)

    def kill(self) -> None:
        """End the process and whatever it started, at once, as a crash would."""
        process = self._process()
        if process is not None:
            self._end([process, *process.children(recursive=True)])
        self._pid_file.unlink(missing_ok=True)

    def pause(self) -> None:
        """Stop the process where it stands; its connections stay open and nothing answers."""
        self._tell(self._process(), signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused process go on."""
        self._tell(self._process(), signal.SIGCONT)

    def _end(self, family: list[psutil.Process]) -> None:
        for one in family:
            try:
                one.kill()
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(family, timeout=STOP_SECONDS)

    def _tell(self, process: psutil.Process | None, what: signal.Signals) -> None:
        if process is not None:
            for one in [process, *process.children(recursive=True)]:
                one.send_signal(what)

    def _process(self) -> psutil.Process | None:
        try:
            known = json.loads(self._pid_file.read_text())
            process = psutil.Process(known["pid"])
            same = abs(process.create_time() - known["created"]) < 1.0
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except (FileNotFoundError, ValueError, KeyError, psutil.NoSuchProcess):
            return None


def listening(port: int, host: str = "127.0.0.1") -> bool:
    """Tell whether something accepts connections on `port`."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((host, port)) == 0


def free_port() -> int:
    """Return a port that nothing uses just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def refuse_foreign(name: str, port: int, setting: str) -> None:
    """Raise `PartFailed` where `port` is taken by something that is not ours; `setting` moves us elsewhere."""
    if listening(port):
        raise PartFailed(
            name, f"port {port} is taken by another program", remedy=f"stop it, or choose another port with {setting}"
        )
