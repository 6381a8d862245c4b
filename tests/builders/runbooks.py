"""Builders of what the healer's tests need: alerts as Alertmanager sends them, a healer on given parts."""

from typing import Any

from chalicelib.autoheal import runbooks
from chalicelib.autoheal.runbooks import Runbook
from tests.builders.alerts import TCP


def changed(name: str = TCP, **values: Any) -> dict[str, Runbook]:
    """Return the product's runbooks, one of them changed."""
    known = dict(runbooks.load())
    return known | {name: known[name].model_copy(update=values)}
