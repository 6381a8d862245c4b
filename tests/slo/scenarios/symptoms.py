"""Actions and audit writes go wrong, events pile up: the alerts with windows of minutes."""

from tests.slo.scenarios import healthy as h
from tests.slo.scenarios.series import always, during, gone, now, stalled
from tests.slo.scenarios.suite import Scenario, Suite, Value
from tests.slo.scenarios.traffic import (
    BREACH,
    FOREVER,
    SLOW,
    SPIKE,
    events,
    failing,
    waiting,
)

PAGE = "AutohealFailureRateBurnFast/actions"
TICKET = "AutohealErrorBudgetBurnSlow/actions"
SLOW_PAGE = "AutohealErrorBudgetBurnFast/audit_latency"
SLOW_TICKET = "AutohealErrorBudgetBurnSlow/audit_latency"
RATIOS = '{__name__=~"autoheal:sli_error:ratio_rate.+",slo=~"actions|audit_latency"}'


def _both(value: float) -> dict[str, float]:
    return {'{slo="actions"}': value, '{slo="audit_latency"}': value}


ACTIONS = Suite(
    "actions",
    "1m",
    (
        Scenario(
            # Over 5 % of the last 15 minutes once 75 % of them were at 7 %: from 31m on,
            # and for 5 minutes.
            "7 % of the actions fail from 20m to 50m",
            failing("actions", (20, 50, 0.07)),
            {
                "35m": (),
                "36m": (BREACH,),
                "50m": (PAGE, BREACH, TICKET),
                "54m": (PAGE, BREACH, TICKET),
                "55m": (PAGE, TICKET),
            },
            [Value("45m", "round(autoheal:action_failures:ratio15m, 0.0001)", {"{}": 0.07})],
        ),
        Scenario(
            "4.5 % of the actions fail: the budget burns, and there is no breach",
            failing("actions", (20, 50, 0.045)),
            {"20m": (), "39m": (), "40m": (TICKET,), "50m": (TICKET,)},
        ),
        Scenario(
            # Over 20 % of the last 15 minutes once 80 % of them were at 25 %: after 32m;
            # over 5 % after 23m.
            "25 % of the actions fail from 20m to 50m",
            failing("actions", (20, 50, 0.25)),
            {
                "28m": (PAGE,),
                "29m": (PAGE, BREACH),
                "32m": (PAGE, BREACH),
                "33m": (PAGE, BREACH, SPIKE),
                "52m": (PAGE, BREACH, SPIKE, TICKET),
                "53m": (PAGE, BREACH, TICKET),
            },
        ),
        Scenario(
            "18 % of the actions fail from 20m to 50m",
            failing("actions", (20, 50, 0.18)),
            {"40m": (PAGE, BREACH, TICKET), "50m": (PAGE, BREACH, TICKET)},
        ),
        Scenario(
            "one action of two fails",
            events("actions", during((20, FOREVER, 1)), during((20, FOREVER, 1.3))),
            dict.fromkeys(("20m", "25m", "30m", "36m"), ()),
        ),
        Scenario(
            "two actions of three fail, at once",
            events("actions", during((20, FOREVER, 1)), during((20, FOREVER, 1.7))),
            {"24m": (), "25m": (BREACH,), "34m": (BREACH,), "36m": ()},
        ),
        Scenario(
            "half an action, of which a quarter fails: a ratio of little is a ratio",
            events("actions", during((20, FOREVER, 0.375)), during((20, FOREVER, 0.125)))
            | events("audit_latency", during((20, FOREVER, 0.375)), during((20, FOREVER, 0.125))),
            {"25m": (), "30m": ()},
            [
                *(
                    Value("24m", f"round({aggregate} by (slo) ({RATIOS}), 0.0001)", _both(0.25))
                    for aggregate in ("min", "max")
                ),
                Value(
                    "25m",
                    "autoheal:action_failures:ratio15m",
                    {"autoheal:action_failures:ratio15m": 0.25},
                ),
                Value(
                    "25m",
                    "autoheal:audit_slow:ratio10m",
                    {"autoheal:audit_slow:ratio10m": 0.25},
                ),
            ],
        ),
        Scenario(
            "nothing is tried at all",
            {
                h.EXECUTED: always(0),
                h.AUDIT: always(0),
                h.AUDIT_QUICK: always(0),
                h.AUDIT_HALF: always(0),
            },
            {"20m": (), "40m": ()},
            [
                Value(
                    "20m",
                    "autoheal:action_failures:ratio15m or autoheal:audit_slow:ratio10m",
                    {},
                ),
                Value("20m", f"sum by (slo) ({RATIOS})", _both(0)),
            ],
        ),
    ),
)

AUDIT = Suite(
    "audit",
    "1m",
    (
        Scenario(
            # Over 5 % of the last 10 minutes once 84 % of them were at 6 %: from 29m on,
            # and for 10 minutes.
            "6 % of the audit writes are slow from 20m to 50m",
            failing("audit_latency", (20, 50, 0.06)),
            {"20m": (), "38m": (), "39m": (SLOW,), "51m": (SLOW,), "52m": ()},
            [Value("40m", "round(autoheal:audit_slow:ratio10m, 0.0001)", {"{}": 0.06})],
        ),
        Scenario(
            "4.8 % of the audit writes are slow",
            failing("audit_latency", (20, 50, 0.048)),
            {"38m": (), "50m": ()},
        ),
        Scenario(
            "every audit write is slow from 20m to 40m",
            failing("audit_latency", (20, 40, 1)),
            {
                "30m": (),
                "31m": (SLOW,),
                "39m": (SLOW, SLOW_PAGE, SLOW_TICKET),
                "49m": (SLOW, SLOW_PAGE, SLOW_TICKET),
                "50m": (SLOW_PAGE, SLOW_TICKET),
            },
        ),
        Scenario(
            "two slow writes of four are too few",
            events(
                "audit_latency",
                during((20, FOREVER, 2)),
                during((20, 25, 1.1), (25, FOREVER, 2.2)),
            ),
            dict.fromkeys(("25m", "29m", "30m", "31m", "35m"), ()),
        ),
        Scenario(
            "three slow writes at 20m, and three more at 25m",
            events(
                "audit_latency",
                during((20, FOREVER, 50)),
                during((20, 25, 2.7), (25, FOREVER, 5.4)),
            ),
            {"29m": (), "30m": (SLOW,), "34m": (SLOW,), "35m": ()},
        ),
    ),
)

STALLED = "OutboxStalled/outbox_freshness"
PARKED = "OutboxParkedStreams"
LATE = "AutohealErrorBudgetBurnFast/outbox_freshness"
LATE_TICKET = "AutohealErrorBudgetBurnSlow/outbox_freshness"

OUTBOX = Suite(
    "outbox",
    "1m",
    (
        Scenario(
            # Older than a minute from 12m on: 3 bad slices at 14m. Older than 5 minutes
            # from 16m on.
            "an event of 10m is published at 40m",
            waiting(10, 40),
            {
                "15m": (),
                "16m": (LATE,),
                "20m": (LATE,),
                "21m": (LATE, STALLED),
                "28m": (LATE, STALLED),
                "29m": (LATE, STALLED, LATE_TICKET),
                "39m": (LATE, STALLED, LATE_TICKET),
                "40m": (LATE, LATE_TICKET),
                "1h9m": (LATE, LATE_TICKET),
                "1h10m": (LATE_TICKET,),
            },
        ),
        Scenario(
            "an event waits for 3 minutes",
            waiting(10, 14),
            dict.fromkeys(("14m", "16m", "20m"), ()),
        ),
        Scenario(
            "nothing waits, and the oldest time is an old one",
            {h.OLDEST: stalled(10)},
            {"15m": (), "20m": (), "40m": ()},
        ),
        Scenario(
            # The last push says nothing about now: bad for the budget from 14m on, and
            # no stall.
            "events wait, and metrics are not pushed from 10m to 30m",
            {h.PENDING: always(7), h.CRM_PUSH: stalled(10, 30)},
            {
                "17m": (),
                "18m": (LATE,),
                "29m": (LATE,),
                "30m": (LATE,),
                "31m": (LATE, LATE_TICKET),
            },
        ),
        Scenario(
            "the database cannot be reached from 10m: its gauges are gone for half an hour",
            {
                h.PENDING: gone(always(0), 10, 40),
                h.OLDEST: gone(now, 10, 40),
                h.PARKED: gone(always(0), 10, 40),
            },
            {
                "18m": (),
                "19m": (LATE,),
                "20m": (LATE, STALLED),
                "39m": (LATE, STALLED, LATE_TICKET),
            },
        ),
        Scenario(
            "streams are parked from 10m to 30m",
            {h.PARKED: during((10, 30, 1))},
            {"14m": (), "15m": (PARKED,), "29m": (PARKED,), "30m": ()},
        ),
    ),
)
