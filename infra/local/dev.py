"""`make dev`: the checkout served by `chalice local`, the relay beside it, both started anew when a source changes.

Chalice's own reloader watches the whole checkout. The broker's and the database's files lie
in it too (`.local`), so it would restart the server all the time.
"""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from infra.aws.package import ROOT
from infra.local.process import listening, refuse_foreign

SOURCES = ("app.py", "chalicelib", ".chalice")
LOOK_SECONDS = 0.5
START_SECONDS = 30.0
STOP_SECONDS = 10.0
SETTING = "PORT (make dev PORT=8001)"


def serve(port: int, environment: Mapping[str, str], *, say: Callable[[str], None]) -> None:
    """Serve on loopback `port` until interrupted (SIGINT, SIGTERM). Code that does not start waits for its repair.

    Raises:
        PartFailed: the port is taken.
    """
    refuse_foreign("dev", port, SETTING)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    while not ended.is_set():
        seen = _fingerprint()
        children = _start(port, environment)
        try:
            _announce(port, children, ended, say)
            while not ended.wait(LOOK_SECONDS) and _fingerprint() == seen:
                continue
        finally:
            _stop(children)
        if not ended.is_set():
            say("· a source changed: starting anew")


def _start(port: int, environment: Mapping[str, str]) -> list[subprocess.Popen[bytes]]:
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
    port: int,
    children: list[subprocess.Popen[bytes]],
    ended: threading.Event,
    say: Callable[[str], None],
) -> None:
    waited = 0.0
    while not listening(port):
        if any(child.poll() is not None for child in children) or waited > START_SECONDS:
            say("✗ it does not start, see above; edit a source and it tries again, Ctrl-C ends it")
            return
        if ended.wait(LOOK_SECONDS):
            return
        waited += LOOK_SECONDS
    say(f"✓ API at http://127.0.0.1:{port}/ - edit and it reloads, Ctrl-C ends it")


def _stop(children: list[subprocess.Popen[bytes]]) -> None:
    for child in children:
        child.terminate()
    for child in children:
        try:
            child.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _fingerprint() -> frozenset[tuple[str, int]]:
    """Stand for the sources as they are: each file with its time of change."""
    found = set()
    for name in SOURCES:
        start = ROOT / name
        for file in [start] if start.is_file() else start.rglob("*"):
            if "__pycache__" not in file.parts:
                try:
                    found.add((str(file), file.stat().st_mtime_ns))
                except FileNotFoundError:  # an editor replaces files while we look
                    continue
    return frozenset(found)
