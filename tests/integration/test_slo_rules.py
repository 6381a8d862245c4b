"""The rules, by the real promtool: each alert fires, recovers, keeps silent; and the tests notice what is wrong."""

import subprocess
from pathlib import Path

import pytest

from infra.local.process import PartFailed
from infra.slo import mutants, outputs, promtool, read, rules
from infra.slo.durations import Scale
from infra.slo.scenarios import SUITES
from infra.slo.scenarios.suite import Suite

SAMPLE, SEED = 10, 7


@pytest.fixture(scope="module", autouse=True)
def version() -> None:
    try:
        told = promtool.run("--version")
    except PartFailed as problem:
        pytest.skip(f"no promtool: {problem}")
    if "version 2." not in told.stdout + told.stderr:
        pytest.skip("promtool 3 leaves out a window's first moment; the expected values count it")


def passes(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("factor", [1, 60, 250])
def test_prometheus_takes_the_rules(tmp_path: Path, factor: int) -> None:
    path = tmp_path / "rules.yml"
    path.write_text(outputs.rules_text(read.objectives(), read.alerts(), Scale(factor)))
    passes(promtool.run("check", "rules", path))


@pytest.mark.parametrize("suite", SUITES, ids=lambda one: one.name)
def test_alerts_fire_when_they_should(suite: Suite) -> None:
    passes(promtool.run("test", "rules", f"{suite.name}.yml", where=promtool.TESTS))


def test_a_story_that_is_not_so_is_noticed(tmp_path: Path) -> None:
    text = (promtool.TESTS / "services.yml").read_text()
    assert text.count("eval_time: 2m15s") > 1
    (tmp_path / "services.yml").write_text(text.replace("eval_time: 2m15s", "eval_time: 2m", 1))
    shipped = (outputs.ROOT / "infra/prometheus/rules" / outputs.RULES).read_text()
    with promtool.copied(shipped, [tmp_path / "services.yml"]) as where:
        done = promtool.run("test", "rules", "services.yml", where=where / "tests")
    assert done.returncode != 0
    assert "FAILED" in done.stderr + done.stdout


def test_every_alert_is_seen_firing_recovering_and_silent_though_something_happens() -> None:
    groups = rules.build(read.objectives(), read.alerts(), Scale())
    alerts = {rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule}
    fired: set[str] = set()
    recovered: set[str] = set()
    for scenario in (one for suite in SUITES for one in suite.scenarios):
        before: set[str] = set()
        for firing in scenario.firing.values():
            now = {name.partition("/")[0] for name in firing}
            fired |= now
            recovered |= before - now
            before = now
    assert fired == alerts
    assert recovered == alerts


def test_what_is_wrong_with_the_rules_is_noticed() -> None:
    groups, everything = mutants.everything()
    chosen = mutants.sample([one for one in everything if one.kind != mutants.EDGE], SAMPLE, SEED)
    score = mutants.run(groups, chosen, parallel=2)
    assert score.share() >= 1 - 1 / SAMPLE, score.shown()
