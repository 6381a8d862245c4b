"""A process that outlives its starter, is recognised later, and is ended for certain."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from infra.local import starts
from infra.local.errors import ServiceFailed

MARK = "AETHERLINK_PID_FILE"
"""The variable with which a process, and all that it starts, says whose it is."""
POLL_SECONDS = 0.05
END_POLL_SECONDS = 0.01
STOP_SECONDS = 10.0


class Process:
    """One process with its pid file and its log, recognised after its starter has ended."""

    def __init__(self, name: str, home: Path) -> None:
        """Keep `name`.pid and `name`.log in `home`."""
        self.name = name
        self.log = home / f"{name}.log"
        self._pid_file = home / f"{name}.pid"

    def running(self) -> bool:
        """Return whether the process lives; another one with a recycled pid does not count."""
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
            ServiceFailed: it cannot be started, exited, or was not ready within `seconds`.
            Cancelled: the command that starts it was interrupted.
        """
        try:
            child = self._spawn(command, env)
        except OSError as error:
            program = error.filename or command[0]
            raise self._failed(f"cannot start {program}: {error.strerror}", remedy) from None
        deadline = time.monotonic() + seconds
        while not ready():
            starts.check()
            if child.poll() is not None:
                self._pid_file.unlink(missing_ok=True)
                raise self._failed(f"exited with {child.returncode}", remedy)
            if time.monotonic() > deadline:
                self.stop()
                raise self._failed(f"not ready after {seconds:.0f} s", remedy)
            time.sleep(POLL_SECONDS)

    def stop(
        self, *, with_signal: signal.Signals = signal.SIGTERM, seconds: float = STOP_SECONDS
    ) -> None:
        """End the process and its descendants: asked first, killed after `seconds`."""
        process = self._process()
        if process is not None:
            family = _family(process)
            _send(family, signal.SIGCONT)  # a paused process could not react
            _send([process], with_signal)
            _await_end([process], seconds)
            _kill(family)
        self._kill_strays()
        self._pid_file.unlink(missing_ok=True)

    def kill(self) -> None:
        """End the process and its descendants at once, as a crash would."""
        process = self._process()
        if process is not None:
            _kill(_family(process))
        self._kill_strays()
        self._pid_file.unlink(missing_ok=True)

    def pause(self) -> None:
        """Freeze the process: its connections stay open and nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused process continue."""
        self._signal(signal.SIGCONT)

    def _spawn(
        self, command: Sequence[str], env: Mapping[str, str] | None
    ) -> subprocess.Popen[bytes]:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with starts.spawning(self), self.log.open("ab") as log:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **(env or {}), MARK: str(self._pid_file)},
                start_new_session=True,
                cwd="/",
            )
            self._pid_file.write_text(json.dumps({"pid": child.pid, "born": _born(child.pid)}))
        return child

    def _kill_strays(self) -> None:
        """Kill what bears our mark: a starter that was killed may not have recorded it."""
        for process in psutil.process_iter():
            try:
                ours = process.environ().get(MARK) == str(self._pid_file)
            except psutil.Error:
                continue
            if ours and process.pid != os.getpid():
                _kill(_family(process))

    def _failed(self, reason: str, remedy: str) -> ServiceFailed:
        return ServiceFailed(self.name, reason, remedy=remedy, log=self.log)

    def _signal(self, number: signal.Signals) -> None:
        process = self._process()
        if process is not None:
            _send(_family(process), number)

    def _process(self) -> psutil.Process | None:
        try:
            record = json.loads(self._pid_file.read_text())
            process = psutil.Process(record["pid"])
            same = _born(process.pid) == record["born"]
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except (
            FileNotFoundError,
            ProcessLookupError,
            ValueError,
            KeyError,
            psutil.NoSuchProcess,
        ):
            return None


def _born(pid: int) -> int:
    """Return when a process began.

    On Linux it is in ticks since boot: setting the clock does not change it.
    """
    if sys.platform != "linux":
        return round(psutil.Process(pid).create_time())
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


def _family(process: psutil.Process) -> list[psutil.Process]:
    """Return `process` and its descendants, those in sessions of their own included."""
    with suppress(psutil.NoSuchProcess):
        return [process, *process.children(recursive=True)]
    return [process]


def _send(family: list[psutil.Process], number: signal.Signals) -> None:
    for process in family:
        with suppress(psutil.NoSuchProcess):  # it may end while we go through the list
            process.send_signal(number)


def _kill(family: list[psutil.Process]) -> None:
    """Kill `family`, and what its first member has started in its group meanwhile."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(family[0].pid, signal.SIGKILL)
    _send(family, signal.SIGKILL)
    _await_end(family, STOP_SECONDS)


def _await_end(family: list[psutil.Process], seconds: float) -> None:
    """Wait until `family` has ended, or `seconds` are over; reap our children in it."""
    deadline = time.monotonic() + seconds
    while any(_alive(process) for process in family) and time.monotonic() < deadline:
        time.sleep(END_POLL_SECONDS)
    psutil.wait_procs(family, timeout=0)


def _alive(process: psutil.Process) -> bool:
    """Return whether any thread of `process` still runs.

    A zombie has ended and only waits to be reaped, but its first thread may be a zombie while
    other threads still hold its ports.
    """
    with suppress(psutil.NoSuchProcess, FileNotFoundError):
        if not process.is_running():
            return False
        if sys.platform != "linux":
            return process.status() != psutil.STATUS_ZOMBIE
        threads = list(Path(f"/proc/{process.pid}/task").iterdir())
        return process.status() != psutil.STATUS_ZOMBIE or len(threads) > 1
    return False
