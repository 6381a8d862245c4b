"""Failures that last for days: all metrics are gone, or no action ends."""

from tests.slo.scenarios import healthy as h
from tests.slo.scenarios.heartbeat import BREACH, DOWN, DOWN_PAGE, DOWN_TICKET, PAGE, TICKET
from tests.slo.scenarios.series import always, counter, during, gone, now, stalled
from tests.slo.scenarios.suite import Scenario, Suite

STALLED = "OutboxStalled/outbox_freshness"
STALE = "AutohealStaleActions/actions"
PAGES = (PAGE, DOWN_PAGE, "AutohealErrorBudgetBurnFast/outbox_freshness")
TICKETS = (TICKET, DOWN_TICKET, "AutohealErrorBudgetBurnSlow/outbox_freshness")
ALL = (BREACH, DOWN, STALLED, *PAGES, *TICKETS)

GONE = Suite(
    "gone",
    "15m",
    (
        Scenario(
            # Missing data is bad for 3 days after it was last there: up to 73h.
            "everything disappears after an hour, for good",
            {
                h.EVENT: gone(now, 61),
                h.PUSH: gone(now, 61),
                h.CRM_PUSH: gone(now, 61),
                h.PENDING: gone(always(0), 61),
                h.PROBE: None,
            },
            {
                "1h": (),
                "1h15m": (),
                "1h30m": (BREACH, DOWN, STALLED),
                "40h": ALL,
                "73h": ALL,
                "73h15m": (*PAGES, *TICKETS),
                "73h45m": TICKETS,
                "79h15m": (),
            },
        ),
        Scenario(
            "the last action ended long ago, and nothing could be healed for a day",
            {h.LAST_ACTION: stalled(60), h.ELIGIBLE: counter((0, 105, h.PER_MINUTE))},
            {"25h15m": (), "25h30m": (STALE,), "25h45m": (), "26h30m": ()},
        ),
        Scenario(
            "the last action ended long ago, and the healer is off",
            {h.LAST_ACTION: stalled(60), h.ENABLED: always(0)},
            {"25h30m": (), "26h": ()},
        ),
    ),
)

STALE_ACTIONS = Suite(
    "stale_actions",
    "10m",
    (
        Scenario(
            "alerts can be healed all the time, and the last action ended an hour after the start",
            {h.LAST_ACTION: stalled(60, 26 * 60)},
            {"25h": (), "25h20m": (), "25h30m": (STALE,), "25h50m": (STALE,), "26h": ()},
        ),
        Scenario(
            "an alert could be healed after an hour, and no action ever ended",
            {h.LAST_ACTION: None, h.ELIGIBLE: during((60, 10**7, 1))},
            {"25h": (), "25h10m": (), "25h20m": (STALE,), "26h": (STALE,)},
        ),
    ),
)
