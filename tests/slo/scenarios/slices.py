"""What makes a moment bad: just above each age, and exactly at it."""

from typing import Final

from tests.slo.scenarios import healthy as h
from tests.slo.scenarios.series import Series, Values, always
from tests.slo.scenarios.suite import Scenario, Suite, Value

SLICES: Final = "sum by (slo) (autoheal:slice_bad:ratio)"


def behind(seconds: float) -> Values:
    """Return a timestamp that is always so old."""
    return lambda at: at - seconds


def late(event: float, push: float, crm_push: float, waiting: float) -> Series:
    """Return timestamps so many seconds old; `waiting` is the oldest event's age at the push."""
    return {
        h.EVENT: behind(event),
        h.PUSH: behind(push),
        h.PROBE: None,
        h.CRM_PUSH: behind(crm_push),
        h.PENDING: always(1),
        h.OLDEST: behind(crm_push + waiting),
    }


def slices(heartbeat: int, availability: int, outbox: int) -> list[Value]:
    """Return how bad each objective's moment has to be."""
    expected = {
        "heartbeat": heartbeat,
        "availability": availability,
        "outbox_freshness": outbox,
    }
    return [Value("1m", SLICES, {f'{{slo="{name}"}}': bad for name, bad in expected.items()})]


SUITE = Suite(
    "slices",
    "1m",
    (
        Scenario("exactly as old as may be", late(300, 180, 180, 60), {"1m": ()}, slices(0, 0, 0)),
        Scenario(
            "the heartbeat is a little too old",
            late(310, 0, 0, 0),
            {"1m": ()},
            slices(1, 0, 0),
        ),
        Scenario("the push is a little too old", late(0, 190, 0, 0), {"1m": ()}, slices(0, 1, 0)),
        Scenario(
            "the API's push is a little too old",
            late(0, 0, 190, 0),
            {"1m": ()},
            slices(0, 0, 1),
        ),
        Scenario(
            "an event waits a little too long",
            late(0, 0, 0, 70),
            {"1m": ()},
            slices(0, 0, 1),
        ),
        Scenario(
            "both are too old, and a moment is bad once",
            late(0, 0, 190, 70),
            {"1m": ()},
            slices(0, 0, 1),
        ),
    ),
)
