"""Processes that outlive the command that started them: started, watched, and ended for certain."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
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

    def __init__(self, name: str, home: Path) -> None:
        """Keep `name`.pid and `name`.log in `home`."""
        self.name = name
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
                cwd="/",
            )
        self._pid_file.write_text(json.dumps({"pid": child.pid, "born": _born(child.pid)}))
        deadline = time.monotonic() + seconds
        while not ready():
            if child.poll() is not None:
                self._pid_file.unlink(missing_ok=True)
                raise PartFailed(
                    self.name,
                    f"exited with {child.returncode}",
                    remedy=remedy,
                    log=self.log,
                )
            if time.monotonic() > deadline:
                self.stop()
                raise PartFailed(
                    self.name,
                    f"not ready after {seconds:.0f} s",
                    remedy=remedy,
                    log=self.log,
                )
            time.sleep(POLL_SECONDS)

    def stop(
        self, *, with_signal: signal.Signals = signal.SIGTERM, seconds: float = STOP_SECONDS
    ) -> None:
        """End the process and whatever it started: asked first, killed after `seconds`."""
        process = self._process()
        if process is not None:
            family = _family(process)
            _tell(family, signal.SIGCONT)
            _tell([process], with_signal)
            _await_end([process], seconds)
            _end(family)
        self._pid_file.unlink(missing_ok=True)

    def kill(self) -> None:
        """End the process and whatever it started, at once, as a crash would."""
        process = self._process()
        if process is not None:
            _end(_family(process))
        self._pid_file.unlink(missing_ok=True)

    def pause(self) -> None:
        """Stop the process where it stands; its connections stay open and nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused process go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, what: signal.Signals) -> None:
        process = self._process()
        if process is not None:
            _tell(_family(process), what)

    def _process(self) -> psutil.Process | None:
        try:
            known = json.loads(self._pid_file.read_text())
            process = psutil.Process(known["pid"])
            same = _born(process.pid) == known["born"]
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
    """Return when a process began, in ticks since the machine did: a clock that is set changes nothing about it."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


def _family(process: psutil.Process) -> list[psutil.Process]:
    """Return `process` and all that it started; those in sessions of their own are among them."""
    with suppress(psutil.NoSuchProcess):
        return [process, *process.children(recursive=True)]
    return [process]


def _tell(family: list[psutil.Process], what: signal.Signals) -> None:
    for one in family:
        with suppress(psutil.NoSuchProcess):  # it may end while we go through the list
            one.send_signal(what)


def _end(family: list[psutil.Process]) -> None:
    """Kill `family`, and what its first member has started in its group meanwhile."""
    with suppress(ProcessLookupError):
        os.killpg(family[0].pid, signal.SIGKILL)
    _tell(family, signal.SIGKILL)
    _await_end(family, STOP_SECONDS)


def _await_end(family: list[psutil.Process], seconds: float) -> None:
    """Wait until none of `family` lives, or `seconds` are over; those that are our children are buried."""
    deadline = time.monotonic() + seconds
    while any(_alive(one) for one in family) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS / 5)
    psutil.wait_procs(family, timeout=0)


def _alive(process: psutil.Process) -> bool:
    """Tell whether `process` still runs; a dead one that its parent has not buried yet, a zombie, does not.

    The first of a zombie's threads may be dead while others still hold its ports.
    """
    with suppress(psutil.NoSuchProcess, FileNotFoundError):
        if not process.is_running():
            return False
        return (
            process.status() != psutil.STATUS_ZOMBIE
            or len(list(Path(f"/proc/{process.pid}/task").iterdir())) > 1
        )
    return False


def listening(port: int, host: str = "127.0.0.1") -> bool:
    """Tell whether something accepts connections on `port`."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((host, port)) == 0


def free_port() -> int:
    """Return a port that nothing uses just now, and whose next one is free too (Kafka takes a pair)."""
    while True:
        with socket.socket() as probe, socket.socket() as following:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
            with suppress(OSError, OverflowError):
                following.bind(("127.0.0.1", port + 1))
                return port


def refuse_foreign(name: str, port: int, setting: str) -> None:
    """Raise `PartFailed` where `port` is taken by something that is not ours; `setting` moves us elsewhere."""
    if listening(port):
        raise PartFailed(
            name,
            f"port {port} is taken by another program",
            remedy=f"stop it, or choose another port with {setting}",
        )
