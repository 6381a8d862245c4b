"""Which services a command has started, so that an interrupted one leaves none of them behind.

The work runs in a thread, while the main thread waits for it or for a signal. So a signal never
interrupts the work between two of its steps: the work is cancelled where it starts a process or
waits for one.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol, TypeVar

import psutil

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
CANCEL_SECONDS = 15.0
"""The longest wait for cancelled work; the command ends without it afterwards."""
SIGNALLED = 128
"""Added to a signal's number, it is the exit code of what the signal ended, as in a shell."""

Result = TypeVar("Result")


class Stoppable(Protocol):
    """A process as far as an interruption goes."""

    def stop(self) -> None:
        """End it."""
        ...


class Interrupted(BaseException):
    """A signal asked the command to end; `code` is the exit code that says so."""

    def __init__(self, number: int) -> None:
        """Name the signal."""
        super().__init__(signal.Signals(number).name)
        self.code = SIGNALLED + number


class Cancelled(Exception):
    """The work was interrupted; nothing more is started."""


@contextmanager
def interruptible() -> Iterator[None]:
    """Within the block, raise `Interrupted` at the first signal, and ignore those that follow.

    What follows would interrupt the cleaning up: `timeout` and make send a signal twice.
    """

    def interrupt(number: int, _: object) -> None:
        for later in SIGNALS:
            # not SIG_IGN, which the processes that are started from now on would inherit
            signal.signal(later, lambda *_: None)
        raise Interrupted(number)

    before = {number: signal.signal(number, interrupt) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Starts:
    """The processes that some work has started."""

    def __init__(self) -> None:
        """Begin with none."""
        self._lock = threading.Lock()
        self._processes: list[Stoppable] = []
        self._cancelled = False

    def run(self, work: Callable[[], Result]) -> Result:
        """Return the result of `work`, which an interruption cancels and undoes.

        Raises:
            Interrupted: by a signal, in the main thread; what `work` started is stopped.
        """
        global _current
        done: Future[Result] = Future()
        thread = threading.Thread(target=_settle, args=(work, done), daemon=True)
        _current = self
        thread.start()
        try:
            return done.result()
        except Interrupted as interruption:
            self.stop()
            thread.join(CANCEL_SECONDS)
            self.stop()
            if thread.is_alive():
                os._exit(interruption.code)  # its threads would keep the command alive
            raise
        finally:
            _current = None

    def stop(self) -> None:
        """Let nothing more start, and end what was started, helpers included."""
        with self._lock:
            self._cancelled = True
            processes = list(self._processes)
        _kill_helpers()
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda process: process.stop(), processes))

    @contextmanager
    def spawning(self, process: Stoppable) -> Iterator[None]:
        """Start `process` within the block. Raises `Cancelled` once the work is cancelled."""
        with self._lock:
            self.check()
            self._processes.append(process)
            yield

    def check(self) -> None:
        """Raise `Cancelled` where the work is cancelled."""
        if self._cancelled:
            raise Cancelled


_current: Starts | None = None


@contextmanager
def spawning(process: Stoppable) -> Iterator[None]:
    """Start `process` within the block, as part of the running work where there is some."""
    if _current is None:
        yield
        return
    with _current.spawning(process):
        yield


def check() -> None:
    """Raise `Cancelled` where the running work is cancelled."""
    if _current is not None:
        _current.check()


def _settle(work: Callable[[], Result], done: "Future[Result]") -> None:
    try:
        done.set_result(work())
    except BaseException as error:  # noqa: BLE001 -- raised again where the result is read
        done.set_exception(error)


def _kill_helpers() -> None:
    """Kill our children that are no services: those have sessions of their own."""
    session = os.getsid(0)
    for child in psutil.Process().children(recursive=True):
        try:
            if os.getsid(child.pid) == session:
                child.kill()
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
