"""The healer falls silent, is switched off, or has nothing to show."""

from tests.slo.scenarios import healthy as h
from tests.slo.scenarios.series import always, during, stalled
from tests.slo.scenarios.suite import Scenario, Suite

BREACH = "AutohealHeartbeatSLOBreach/heartbeat"
SILENT = "AutohealNoEvents15m/heartbeat"
PAGE = "AutohealErrorBudgetBurnFast/heartbeat"
TICKET = "AutohealErrorBudgetBurnSlow/heartbeat"
DOWN = "AutohealServiceDown/availability"
DOWN_PAGE = "AutohealAvailabilityBurnFast/availability"
DOWN_TICKET = "AutohealErrorBudgetBurnSlow/availability"
DISABLED = "AutohealDisabledInDev/actions"

SUITE = Suite(
    "heartbeat",
    "1m",
    (
        Scenario(
            # Older than 5 minutes from 16m on; 3 bad slices at 18m; older than 15 minutes
            # from 26m on.
            "the heartbeat stalls from 10m to 40m",
            {h.EVENT: stalled(10, 40)},
            {
                "10m": (),
                "17m": (),
                "18m": (BREACH,),
                "19m": (BREACH,),
                "20m": (BREACH, PAGE),
                "26m": (BREACH, PAGE),
                "27m": (BREACH, PAGE, SILENT),
                "32m": (BREACH, PAGE, SILENT),
                "33m": (BREACH, PAGE, SILENT, TICKET),
                "39m": (BREACH, PAGE, SILENT, TICKET),
                "40m": (PAGE, TICKET),
                "1h9m": (PAGE, TICKET),
                "1h10m": (TICKET,),
                "6h39m": (TICKET,),
                "6h40m": (),
            },
        ),
        Scenario(
            "2 bad slices of time are too few for an alert",
            {h.EVENT: stalled(10, 18)},
            dict.fromkeys(("17m", "18m", "19m", "20m", "34m", "40m"), ()),
        ),
        Scenario(
            "the probe fails for 5 minutes",
            {h.PROBE: during((10, 15, 0), usually=1)},
            {
                "11m": (),
                "12m": (DOWN,),
                "13m": (DOWN,),
                "14m": (DOWN, DOWN_PAGE),
                "15m": (DOWN_PAGE,),
                "27m": (DOWN_PAGE, DOWN_TICKET),
                "44m": (DOWN_PAGE, DOWN_TICKET),
                "45m": (DOWN_TICKET,),
            },
        ),
        Scenario(
            "one probe of three fails: the service is not down, its budget burns",
            {
                h.PROBE: None,
                'probe_success{job="autoheal-health",instance="a"}': during((10, 20, 0), usually=1),
                'probe_success{job="autoheal-health",instance="b"}': always(1),
                'probe_success{job="autoheal-health",instance="c"}': always(1),
            },
            # 8 slices of a third each are 2.67 bad ones, at 17m.
            {"18m": (), "19m": (DOWN_PAGE,), "25m": (DOWN_PAGE,), "50m": (DOWN_TICKET,)},
        ),
        Scenario(
            "the probe fails twice",
            {h.PROBE: during((10, 12, 0), usually=1)},
            {"12m": (), "13m": (), "29m": ()},
        ),
        Scenario(
            "metrics are not pushed from 10m to 20m, and nothing probes",
            {h.PROBE: None, h.PUSH: stalled(10, 20)},
            {
                "15m": (),
                "16m": (DOWN,),
                "17m": (DOWN,),
                "18m": (DOWN, DOWN_PAGE),
                "20m": (DOWN_PAGE,),
            },
        ),
        Scenario(
            "metrics are not pushed from 10m to 20m, and the probe succeeds",
            {h.PUSH: stalled(10, 20)},
            {"17m": (), "18m": (DOWN,), "19m": (DOWN,), "20m": ()},
        ),
        Scenario(
            "the healer is switched off in dev from 10m to 30m",
            {'autoheal_enabled{job="autoheal",env="dev"}': during((10, 30, 0), usually=1)},
            {"19m": (), "20m": (DISABLED,), "29m": (DISABLED,), "30m": ()},
        ),
        Scenario(
            "the healer is switched off in production",
            {h.ENABLED: always(0)},
            {"12m": (), "30m": ()},
        ),
        Scenario("nothing was ever installed", {}, {"1m": (), "10m": (), "40m": ()}, empty=True),
    ),
)
