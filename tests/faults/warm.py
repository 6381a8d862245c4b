"""Processes that are forked from a parent with everything imported, so that they start at once.

The parent is the standard library's fork server: it has no threads, and it has opened no
connection. What a child does with its environment, its output and its signals is its own, as
in a process that was started afresh.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from subprocess import TimeoutExpired

Main = Callable[[list[str]], None]

PRELOADED = ("tests.faults.request_process", "tests.faults.relay_process")

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(list(PRELOADED))


class WarmProcess:
    """A running `main`, with the methods of `subprocess.Popen` that the fault tests need."""

    def __init__(
        self, main: Main, arguments: Sequence[str], environment: Mapping[str, str], output: Path
    ) -> None:
        """Start `main(arguments)` with exactly `environment`; append what it prints to `output`."""
        self._process = _context.Process(
            target=_run, args=(main, list(arguments), dict(environment), str(output)), daemon=True
        )
        self._process.start()

    @property
    def returncode(self) -> int | None:
        """Return the exit code, -9 if the process was killed, or None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """Return `returncode`."""
        return self._process.exitcode

    def wait(self, timeout: float) -> int:
        """Wait for the end of the process; return its exit code.

        Raises:
            TimeoutExpired: it still runs after `timeout` seconds.
        """
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise TimeoutExpired(str(self._process.name), timeout)
        return self._process.exitcode

    def kill(self) -> None:
        """Kill the process."""
        self._process.kill()

    def send_signal(self, signal_number: signal.Signals) -> None:
        """Send a signal to the process."""
        assert self._process.pid is not None
        os.kill(self._process.pid, signal_number)


def _run(main: Main, arguments: list[str], environment: dict[str, str], output: str) -> None:
    os.environ.clear()
    os.environ.update(environment)
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.close(file)
    main(arguments)
