"""The commands on machines where something is missing, and commands that are interrupted."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

import pytest

from infra.local.debian import program
from infra.local.errors import ServiceFailed
from infra.local.kafka.apache import ApacheKafka
from infra.local.ports import LOOPBACK, Ports, free_port, port_setting
from infra.paths import ROOT
from tests.e2e.conftest import processes_of, temporary_home

pytestmark = pytest.mark.e2e
COMMAND_SECONDS = 240
WORLD_READABLE = 0o755


class Machine:
    """A home and ports of its own for the commands of the local stack."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.ports = Ports.free()

    def environment(self, **changes: str) -> Mapping[str, str]:
        ports = {port_setting(name): str(port) for name, port in asdict(self.ports).items()}
        own = {"AETHERLINK_HOME": str(self.home), "KAFKA_BROKER": "embedded"}
        return {**os.environ, **ports, **own, **changes}

    def start(self, *arguments: str, **changes: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "infra.local", *arguments],
            cwd=ROOT,
            env=self.environment(**changes),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str, **changes: str) -> tuple[int, str]:
        """Return a command's exit code and output."""
        process = self.start(*arguments, **changes)
        output, _ = process.communicate(timeout=COMMAND_SECONDS)
        assert "Traceback" not in output, output
        return process.returncode, output


@pytest.fixture
def machine() -> Iterator[Machine]:
    with temporary_home() as home:
        machine = Machine(home)
        yield machine
        machine.run("down")
        assert not processes_of(home)


def interrupt(process: "subprocess.Popen[str]", lines: int, number: int) -> str:
    """Send a signal twice, as make does, after so many lines of output; return all of it."""
    assert process.stdout is not None
    output = [process.stdout.readline() for _ in range(lines)]
    for _ in range(2):
        process.send_signal(number)
    return "".join([*output, process.communicate(timeout=COMMAND_SECONDS)[0]])


@pytest.mark.timeout(900)
def test_an_interrupted_up_leaves_nothing_that_the_next_does_not_repair(machine: Machine) -> None:
    for lines, number in (
        (0, signal.SIGTERM),
        (1, signal.SIGINT),
        (5, signal.SIGTERM),
        (9, signal.SIGINT),
        (14, signal.SIGTERM),
        (17, signal.SIGINT),
    ):
        process = machine.start("up")
        output = interrupt(process, lines, number)
        assert "Traceback" not in output, output
        assert process.returncode in (128 + number, -number), output
        assert not processes_of(machine.home), f"after {lines} lines: {output}"
    code, output = machine.run("up")
    assert code == 0, output


@pytest.mark.timeout(600)
def test_a_service_that_a_killed_up_did_not_record_is_replaced(machine: Machine) -> None:
    code, output = machine.run("up")
    assert code == 0, output
    issuer = machine.home / "issuer" / "issuer.pid"
    issuer.unlink()
    code, output = machine.run("up")
    assert (code, issuer.exists()) == (0, True), output


@pytest.mark.parametrize("command", [("logs", "--follow"), ("dev", "--port", "0")])
@pytest.mark.timeout(600)
def test_an_interrupted_command_that_would_run_for_ever_leaves_no_process(
    machine: Machine, command: tuple[str, ...]
) -> None:
    log = machine.home / "issuer" / "issuer.log"
    log.parent.mkdir()
    log.write_text("a line\n")
    process = machine.start(*command)
    output = interrupt(process, 1, signal.SIGTERM)
    assert "Traceback" not in output, output
    assert not processes_of(machine.home), output


@pytest.mark.parametrize("place", ["/sys/aetherlink", "/dev/null/aetherlink"])
def test_a_home_that_cannot_be_written_is_named_with_a_remedy(machine: Machine, place: str) -> None:
    code, output = machine.run("up", AETHERLINK_HOME=place)
    assert code == 1
    assert output.count("\n") == 2, output
    assert place in output
    assert "remedy:" in output
    assert "AETHERLINK_HOME" in output


def test_a_full_disk_is_named_with_a_remedy(machine: Machine) -> None:
    folder = machine.home / "disk"
    folder.mkdir()
    script = (
        'mount -t tmpfs -o size=1m none "$1" 2>/dev/null || exit 77; '
        f'AETHERLINK_HOME="$1" exec {sys.executable} -m infra.local up'
    )
    if not shutil.which("unshare"):
        pytest.skip("needs a disk of its own, and there is no `unshare`")
    result = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", str(folder)],
        cwd=ROOT,
        env=machine.environment(),
        capture_output=True,
        text=True,
    )
    if result.returncode not in (0, 1) or "unshare" in result.stderr:
        pytest.skip("needs a disk of its own, which this user cannot mount")
    assert result.returncode == 1
    assert "MB left" in result.stderr
    assert "free some space" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("service", ["postgres", "issuer", "services", "prometheus"])
def test_an_occupied_port_is_named_before_anything_is_started(
    machine: Machine, service: str
) -> None:
    port = getattr(machine.ports, service)
    with socket.create_server((LOOPBACK, port)):
        code, output = machine.run("up")
    assert code == 1
    assert f"port {port} is taken" in output
    assert port_setting(service) in output
    assert "starting" not in output


def test_without_java_the_broker_that_needs_it_is_named(machine: Machine) -> None:
    programs = machine.home / "programs"
    programs.mkdir()
    for folder in (Path("/bin"), Path("/usr/bin")):
        for file in folder.iterdir():
            if file.name not in ("java", "mvn") and not (programs / file.name).is_symlink():
                (programs / file.name).symlink_to(file)
    code, output = machine.run("up", KAFKA_BROKER="apache", PATH=str(programs))
    assert code == 1
    assert "✗ kafka: " in output
    assert "KAFKA_BROKER=embedded" in output


@pytest.mark.parametrize("script", ["exit 1", "echo '[ERROR] no network'; exit 1", "exit 0"])
def test_a_maven_that_does_not_work_is_named_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    maven = tmp_path / "mvn"
    maven.write_text(f"#!/bin/sh\n{script}\n")
    maven.chmod(WORLD_READABLE)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    broker = ApacheKafka(tmp_path / "kafka", free_port(), tmp_path / "cache")
    with pytest.raises(ServiceFailed, match="Maven could not fetch") as failure:
        broker.start()
    assert "KAFKA_BROKER=embedded" in str(failure.value)


def test_without_apt_a_program_that_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ServiceFailed, match="remedy: install prometheus"):
        program("prometheus", "prometheus", tmp_path)


@pytest.mark.parametrize(
    ("arguments", "texts"),
    [
        (("--role", "boss"), ("boss", "admin", "ops", "sales")),
        (("--tenant", "acme"), ("acme", "UUID")),
    ],
)
def test_a_wrong_argument_is_named_with_what_is_right(
    machine: Machine, arguments: tuple[str, ...], texts: tuple[str, ...]
) -> None:
    code, output = machine.run("token", *arguments)
    assert code == 2
    assert all(text in output for text in texts), output


@pytest.mark.parametrize("command", ["status", "logs", "token"])
def test_a_question_is_answered_at_once(machine: Machine, command: str) -> None:
    """The processor's time, because the machine may be busy."""
    before = os.times()
    began = time.monotonic()
    machine.run(command)
    after = os.times()
    used = after.children_user - before.children_user + after.children_system
    assert used - before.children_system < 1.0, time.monotonic() - began
