"""Budgets burn just above each factor, just below it, and with too few events."""

from tests.slo.scenarios import healthy as h
from tests.slo.scenarios.series import during
from tests.slo.scenarios.suite import Scenario, Suite
from tests.slo.scenarios.traffic import BREACH, PAGES, SLOW, SPIKE, TICKETS, burning, burst

HOURS = 60
DAYS = 24 * 60

PAGING = Suite(
    "paging",
    "5m",
    (
        Scenario(
            "16 times too fast for 70 minutes after 6 healthy hours",
            burning(16, 6 * HOURS, 6 * HOURS + 70),
            {
                "6h": (),
                "6h30m": (BREACH, SLOW),
                "6h50m": (*TICKETS, BREACH, SLOW),
                "7h10m": (*PAGES, *TICKETS, BREACH, SLOW),
                "7h25m": (*TICKETS,),
            },
        ),
        Scenario(
            "13 times too fast for 70 minutes after 6 healthy hours: no page",
            burning(13, 6 * HOURS, 6 * HOURS + 70),
            {"6h": (), **dict.fromkeys(("7h", "7h5m", "7h10m"), (*TICKETS, BREACH, SLOW))},
        ),
        Scenario(
            "7 times too fast from the start: above 6 in 6 hours and in 30 minutes",
            burning(7, 0, 60),
            {
                "30m": (*PAGES, *TICKETS, SLOW),
                "1h": (*PAGES, *TICKETS, SLOW),
                "1h40m": TICKETS,
            },
        ),
        Scenario(
            "5.2 times too fast from the start: a ticket",
            burning(5.2, 0, 60),
            {"30m": (*TICKETS, SLOW), "1h": (*TICKETS, SLOW)},
        ),
        Scenario(
            "1.1 times too fast from the start: a ticket, by the 3 days",
            burning(1.1, 0),
            {"40m": (*TICKETS, SLOW), "1h": (*TICKETS, SLOW)},
        ),
        Scenario("0.9 times as fast as the budget allows", burning(0.9), {"40m": (), "1h": ()}),
    ),
)

TICKET = Suite(
    "tickets",
    "30m",
    (
        Scenario(
            "2.8 times too fast for 6 hours after 3 healthy days",
            burning(2.8, 3 * DAYS),
            {"72h": (), "78h30m": (*TICKETS, SLOW)},
        ),
        Scenario(
            "2.1 times too fast for 6 hours after 3 healthy days: no ticket",
            burning(2.1, 3 * DAYS),
            {"72h": (), "78h30m": (SLOW,)},
        ),
        # Rules evaluated every 30 minutes instead of every minute count a fifth of the
        # events of a burst.
        Scenario(
            "3 days of traffic, 6.5 hours of none, then 2.2 failures",
            burst(11, 79 * HOURS, busy=3 * DAYS),
            {"78h30m": (), "79h": (SPIKE,), "79h30m": ()},
        ),
        Scenario(
            "3 days of traffic, 6.5 hours of none, then 2.8 failures",
            burst(14, 79 * HOURS, busy=3 * DAYS),
            {
                "78h30m": (),
                "79h": (SPIKE,),
                "79h30m": (*PAGES, *TICKETS),
            },
        ),
    ),
    step="5m",
)

FEW = Suite(
    "few_events",
    "1m",
    (
        Scenario(
            "2.2 failures and hardly any traffic",
            burst(2.2, 20),
            {"22m": (), "25m": (BREACH,), "30m": (BREACH,), "36m": (), "1h10m": ()},
        ),
        Scenario(
            "2.8 failures and hardly any traffic",
            burst(2.8, 20),
            {
                # An event is counted in full after 5 minutes.
                "25m": (SPIKE, BREACH),
                "26m": (SPIKE, BREACH, *PAGES),
                "30m": (SPIKE, BREACH, *PAGES),
                "1h10m": TICKETS,
            },
        ),
        Scenario(
            "an hour of traffic, an hour of none, then 2.1 failures, up to 2.5",
            burst(2.1, 130, busy=60, more=0.05),
            {"2h10m": (), "2h14m": (), "2h17m": (BREACH,)},
        ),
        Scenario(
            "an hour of traffic, an hour of none, then 2.6 failures, up to 3",
            burst(2.6, 130, busy=60, more=0.05),
            {"2h11m": (SPIKE,), "2h15m": (SPIKE, BREACH), "2h17m": (SPIKE, BREACH, *PAGES)},
        ),
        Scenario(
            "2.1 bad slices of time, too few for the windows of 1 hour and of 6 hours",
            {h.PROBE: during((70, 73, 0.3), usually=1)},
            {"1h10m": (), "1h14m": (), "1h16m": (), "1h30m": ()},
        ),
        Scenario(
            "2.55 bad slices of time within 6 hours: 7 times too fast",
            {h.PROBE: during((370, 373, 0.15), usually=1)},
            {
                "6h13m": (),
                "6h20m": ("AutohealAvailabilityBurnFast/availability",),
                "6h30m": (
                    "AutohealAvailabilityBurnFast/availability",
                    "AutohealErrorBudgetBurnSlow/availability",
                ),
            },
        ),
    ),
)
