"""The documents that the healer may run, and the resources that are deployed for it."""

import json
from typing import Any

import pytest

from chalicelib.autoheal import runbooks
from infra.aws import autoheal


@pytest.mark.parametrize("runbook", runbooks.load().values(), ids=lambda one: one.alertname)
def test_a_runbook_s_document_takes_what_it_gives_and_nothing_else(
    runbook: runbooks.Runbook,
) -> None:
    document = autoheal.documents()[runbook.document]
    assert set(document["parameters"]) == set(runbook.parameters)
    for parameter in document["parameters"].values():
        assert parameter["allowedPattern"].startswith("^")
        assert parameter["allowedPattern"].endswith("$")


@pytest.mark.parametrize("document", autoheal.documents().values())
def test_parameters_stand_in_quotes_and_nothing_in_their_patterns_ends_a_quote(
    document: dict[str, Any],
) -> None:
    for step in document["mainSteps"]:
        assert step["action"] == "aws:runShellScript"
        assert float(step["inputs"]["timeoutSeconds"]) <= 60
        bare = json.dumps(step["inputs"]["runCommand"])
        for name, parameter in document["parameters"].items():
            bare = bare.replace("'{{ " + name + " }}'", "")
            assert not set(parameter["allowedPattern"]) & set("'\\\". ")
        assert "{{" not in bare


def test_every_table_can_be_recovered_and_only_the_ledger_keeps_for_ever() -> None:
    for name, properties in autoheal.tables("p").items():
        assert properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
        assert ("TimeToLiveSpecification" in properties) == (name != "AutohealLedgerTable")
