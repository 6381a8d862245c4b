"""Services of the local stack at bad moments: recycled pids, stubborn children, crashes."""

import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import psutil
import pytest

from infra.local import kafka
from infra.local.demo_services import DemoServices
from infra.local.errors import ServiceFailed
from infra.local.kafka.external import ExternalKafka
from infra.local.ports import Ports, free_port
from infra.local.postgres import Postgres
from infra.local.process import Process
from infra.paths import ROOT
from tests.e2e.conftest import processes_of
from tests.e2e.waiting import until

pytestmark = pytest.mark.e2e
WAIT_SECONDS = 120.0
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print("ready", flush=True)
time.sleep(600)
"""
INITIALISE = """
import sys
from pathlib import Path
from infra.local.postgres import Postgres
Postgres(Path(sys.argv[1]), 1).start()
"""


def test_a_recycled_pid_is_neither_taken_for_ours_nor_killed(tmp_path: Path) -> None:
    process = Process("service", tmp_path)
    (tmp_path / "service.pid").write_text(json.dumps({"pid": os.getpid(), "born": 1}))
    assert not process.running()
    process.kill()
    process.stop()


def test_a_process_that_ignores_sigterm_is_killed_with_its_descendants(tmp_path: Path) -> None:
    process = Process("service", tmp_path)
    process.start(
        [sys.executable, "-c", STUBBORN],
        ready=lambda: "ready" in process.log.read_text(),
        seconds=WAIT_SECONDS,
        remedy="-",
    )
    family = [psutil.Process(json.loads((tmp_path / "service.pid").read_text())["pid"])]
    family += family[0].children(recursive=True)
    assert len(family) == 2
    process.stop(seconds=0.2)
    assert not process.running()
    assert not psutil.wait_procs(family, timeout=WAIT_SECONDS)[1]


def test_a_process_that_exits_is_reported_with_its_log_and_the_remedy(tmp_path: Path) -> None:
    process = Process("service", tmp_path)
    with pytest.raises(ServiceFailed) as failed:
        process.start(
            [sys.executable, "-c", "raise SystemExit('no disk')"],
            ready=lambda: False,
            seconds=WAIT_SECONDS,
            remedy="buy one",
        )
    for text in ("service: exited with 1", "| no disk", str(process.log), "remedy: buy one"):
        assert text in str(failed.value)


@pytest.mark.parametrize("survivors", [False, True], ids=["with-all-it-started", "alone"])
def test_a_database_whose_creation_was_killed_is_created_anew(home: Path, survivors: bool) -> None:
    folder = home / f"interrupted-{survivors}"
    creation = subprocess.Popen([sys.executable, "-c", INITIALISE, str(folder)], cwd=ROOT)
    until(lambda: any(folder.glob("data.making-*/PG_VERSION")))
    starter = psutil.Process(creation.pid)
    descendants = [] if survivors else starter.children(recursive=True)
    for process in (starter, *descendants):
        with suppress(psutil.NoSuchProcess):  # some live only for a moment
            process.kill()
    creation.wait()
    server = Postgres(folder, free_port(), fast=True)
    try:
        assert server.start()
        server.kill()
        assert server.start(), "a crashed server starts again on the data it left"
    finally:
        server.stop()


def test_data_of_another_version_is_refused_and_kept(home: Path) -> None:
    data = home / "older" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("16\n")
    with pytest.raises(ServiceFailed, match="belongs to PostgreSQL 16, this is"):
        Postgres(data.parent, free_port()).start()
    assert data.exists()


def test_a_service_that_is_restarted_concurrently_runs_once(tmp_path: Path) -> None:
    services = DemoServices(tmp_path, {"crm-api": free_port()})
    services.start()
    command = [str(services.bin / "service-control"), "restart", "crm-api"]
    for _ in range(4):
        restarts = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(4)]
        assert [restart.wait(WAIT_SECONDS) for restart in restarts] == [0] * 4
    assert services.running()
    services.stop()
    assert not processes_of(tmp_path)


def test_no_two_services_have_the_same_default_port() -> None:
    ports = asdict(Ports())
    taken = [*ports.values(), *(ports[service] + 1 for service in ("kafka", "services"))]
    assert len(set(taken)) == len(taken), ports


@pytest.mark.parametrize("text", ["abc", "0", "65535", "-1"])
def test_a_setting_that_is_not_a_port_is_named(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AETHERLINK_KAFKA_PORT", text)
    with pytest.raises(ServiceFailed, match=f"AETHERLINK_KAFKA_PORT={text}"):
        Ports.from_env()


def test_the_broker_in_use_is_kept_until_it_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("KAFKA_BROKER", "KAFKA_BOOTSTRAP_SERVERS"):
        monkeypatch.delenv(name, raising=False)
    kafka.remember(tmp_path, ExternalKafka("there:9092"))
    remembered = kafka.choose(tmp_path, 1, tmp_path)
    assert (remembered.kind, remembered.bootstrap_servers) == ("external", "there:9092")
    assert kafka.choose(tmp_path, 1, tmp_path, "embedded").kind == "embedded"
    kafka.forget(tmp_path)
    assert kafka.choose(tmp_path, 1, tmp_path).kind != "external"
