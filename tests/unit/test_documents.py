"""The documents that the healer may run, and the resources that are deployed for it."""

import json
from typing import Any

import pytest

from chalicelib.autoheal import runbooks
from infra.aws import autoheal


@pytest.mark.parametrize("runbook", runbooks.load().values(), ids=lambda runbook: runbook.alertname)
def test_a_runbook_s_document_accepts_its_parameters_and_no_others(
    runbook: runbooks.Runbook,
) -> None:
    document = autoheal.documents()[runbook.document]
    assert set(document["parameters"]) == set(runbook.parameters)
    for parameter in document["parameters"].values():
        assert parameter["allowedPattern"].startswith("^")
        assert parameter["allowedPattern"].endswith("$")


@pytest.mark.parametrize("document", autoheal.documents().values())
def test_parameters_are_quoted_and_their_patterns_allow_no_quotes(
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


def test_every_table_can_be_recovered_and_only_totals_never_expire() -> None:
    for name, properties in autoheal.tables("p").items():
        assert properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
        assert ("TimeToLiveSpecification" in properties) == (name != "AutohealLedgerTable")


def test_stages_of_one_account_have_documents_of_their_own() -> None:
    names = {stage: set(autoheal.deployed_documents(stage)) for stage in ("dev", "prod")}
    assert not names["dev"] & names["prod"]
    assert "AetherLink-prod-RestartService" in names["prod"]
    for stage in names:
        resources = autoheal.resources("p", stage).values()
        documents = [r["Properties"]["Name"] for r in resources if "SSM" in r["Type"]]
        assert set(documents) == names[stage]
