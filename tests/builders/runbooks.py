"""The product's runbooks, changed for a test."""

from typing import Any

from chalicelib.autoheal import runbooks
from chalicelib.autoheal.runbooks import Runbook
from tests.builders.alerts import TCP


def changed(name: str = TCP, **values: Any) -> dict[str, Runbook]:
    """Return the product's runbooks, one of them changed."""
    product = dict(runbooks.load())
    return product | {name: product[name].model_copy(update=values)}
