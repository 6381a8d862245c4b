"""Every bench runs: its smoke form, with all that it measures, in a second or two."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from chalicelib.config import Settings
from infra.local.emulator import Emulator
from infra.local.kafka import Broker
from infra.local.postgres import Postgres
from infra.paths import ROOT
from tests.bench import audit, plot, relay
from tests.bench.stack import Stack

TIMEOUT_SECONDS = 120


def test_the_relay_bench_measures_every_way_and_its_figures_can_be_drawn(
    database: Settings, postgres: Postgres, broker: Broker, tmp_path: Path
) -> None:
    figures_file = tmp_path / "figures.json"
    picture = tmp_path / "figures.svg"
    assert relay.main(["--smoke", "--json", str(figures_file)], stack=Stack(postgres, broker)) == 0
    figures = json.loads(figures_file.read_text())
    assert all(figures[name] > 0 for name in (*plot.LABELS, "memory_mb"))
    assert all(size["per_second"] > 0 for size in figures["archived"])
    assert all(0 < rate["p50"] <= rate["p99"] <= rate["max"] for rate in figures["latency"])
    assert plot.main([str(figures_file), str(picture)]) == 0
    bars = ElementTree.parse(picture).iter("{http://www.w3.org/2000/svg}rect")
    assert len(list(bars)) == 1 + len(plot.LABELS)


def test_the_api_bench_measures_every_operation(database: Settings, tmp_path: Path) -> None:
    figures_file = tmp_path / "figures.json"
    command = [sys.executable, "-m", "tests.bench.api", "--smoke", "--json", str(figures_file)]
    command += ["--database-url", database.database.url]
    result = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=TIMEOUT_SECONDS
    )
    assert result.returncode == 0, result.stderr
    figures = json.loads(figures_file.read_text())
    assert figures["throughput_of_pgbench"] > 0
    assert figures["cpu_of_naive"] > 0


def test_the_audit_bench_measures_every_query(
    emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit.main(["--smoke"], emulator=emulator) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(audit.QUERIES)
