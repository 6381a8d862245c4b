"""Scenarios of the rules and their mutants: promtool's notation, and what is generated."""

import pytest

from infra.slo import read, rules
from infra.slo.durations import Scale
from tests.slo import __main__ as rule_tests_command
from tests.slo.mutations import mutants
from tests.slo.scenarios.series import encode


def test_committed_rule_tests_are_up_to_date_with_the_scenarios(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert rule_tests_command.main(["--check"]) == 0
    files = rule_tests_command.rule_tests()
    monkeypatch.setattr(
        rule_tests_command, "rule_tests", lambda: files | {"docs/slo.md": "another"}
    )
    assert rule_tests_command.main(["--check"]) == 1


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([0, 60, 120, 180], "0+60x3"),
        ([1, 1, 1], "1+0x2"),
        ([5], "5"),
        ([0, 1, 2, 2, 2], "0+1x2 2+0x1"),
        ([1, None, None, 3], "1 _x2 3"),
        ([3, 2, 1], "3-1x2"),
        ([0.5, 0.75, 1.0], "0.5+0.25x2"),
    ],
)
def test_samples_are_written_as_promtool_reads_them(values: list[float | None], text: str) -> None:
    assert encode(values) == text


def test_every_kind_of_change_has_mutants() -> None:
    groups = rules.build(read.objectives(), read.alerts(), Scale())
    mutated = mutants(groups)
    assert {mutant.kind for mutant in mutated} == {
        "threshold",
        "window",
        "comparison",
        "edge",
        "for",
    }
    for mutant in mutated:
        assert mutant.applied(groups) != groups
    changes = {(mutant.group, mutant.position, mutant.key, mutant.value) for mutant in mutated}
    assert len(changes) == len(mutated)
