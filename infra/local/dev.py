"""`make dev`: `chalice local` and the relay, restarted when a source changes.

Chalice's own reloader watches the whole checkout. The broker's and the database's files are in
it too (`.local`), so it would restart the server all the time.
"""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from infra.local.ports import listening, require_free
from infra.paths import ROOT

SOURCES = ("app.py", "chalicelib", ".chalice")
POLL_SECONDS = 0.5
START_SECONDS = 30.0
STOP_SECONDS = 10.0
SETTING = "PORT (make dev PORT=8001)"

Children = list[subprocess.Popen[bytes]]


def serve(port: int, environment: Mapping[str, str], *, say: Callable[[str], None]) -> None:
    """Serve on loopback `port` until interrupted (SIGINT, SIGTERM).

    Code that does not start is started again once a source changes.

    Raises:
        ServiceFailed: the port is taken.
    """
    require_free("dev", port, SETTING)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    while not ended.is_set():
        fingerprint = _fingerprint()
        say("· starting the API and the relay")
        children = _start(port, environment)
        try:
            _announce(port, children, ended, say)
            while not ended.wait(POLL_SECONDS) and _fingerprint() == fingerprint:
                continue
        finally:
            _stop(children)
        if not ended.is_set():
            say("· a source has changed: restarting")


def _start(port: int, environment: Mapping[str, str]) -> Children:
    chalice = Path(sys.executable).with_name("chalice")
    commands = (
        [str(chalice), "local", "--stage", "local", "--port", str(port), "--no-autoreload"],
        [sys.executable, "-m", "infra.ops", "relay", "--forever"],
    )
    return [
        subprocess.Popen(command, cwd=ROOT, env=dict(environment), start_new_session=True)
        for command in commands
    ]


def _announce(
    port: int, children: Children, ended: threading.Event, say: Callable[[str], None]
) -> None:
    """Wait until the API answers, and say so or that it did not start."""
    waited = 0.0
    while not listening(port):
        exited = any(child.poll() is not None for child in children)
        if exited or waited > START_SECONDS:
            say("✗ it did not start, see above: change a source to try again, or press Ctrl-C")
            return
        if ended.wait(POLL_SECONDS):
            return
        waited += POLL_SECONDS
    say(f"✓ API at http://127.0.0.1:{port}/: reloads when a source changes, Ctrl-C stops it")


def _stop(children: Children) -> None:
    for child in children:
        child.terminate()
    for child in children:
        try:
            child.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _fingerprint() -> frozenset[tuple[str, int]]:
    """Return each source file with the time of its last change."""
    files = set()
    for name in SOURCES:
        start = ROOT / name
        for file in [start] if start.is_file() else start.rglob("*"):
            if "__pycache__" not in file.parts:
                try:
                    files.add((str(file), file.stat().st_mtime_ns))
                except FileNotFoundError:  # an editor replaces files while we look
                    continue
    return frozenset(files)
