"""Services that the healer restarts: alerts have the labels that its runbooks match."""

from tests.slo.scenarios import healthy as h
from tests.slo.scenarios.series import always, during
from tests.slo.scenarios.suite import Notification, Scenario, Suite

TCP = "TcpEndpointDownFast"
HTTP = "UptimeProbeFailing"
STALE = "CrmMetricsScrapeStale"
API = "127.0.0.1:18081"
EXPORTER = "127.0.0.1:18082"
RUNBOOKS = "docs/runbooks/services.md#"

SUITE = Suite(
    "services",
    "15s",
    (
        Scenario(
            "a service accepts no connections from 2m to 5m",
            {h.TCP: during((2, 5, 0), usually=1)},
            {"1m45s": (), "2m": (), "2m15s": (TCP,), "4m45s": (TCP,), "5m": ()},
            notifications=[
                Notification(
                    "3m",
                    TCP,
                    {
                        "autoheal": "true",
                        "symptom": "down",
                        "severity": "critical",
                        "service": "crm-api",
                        "instance": API,
                    },
                    {
                        "autoheal": "true",
                        "summary": "crm-api accepts no connections",
                        "description": f"{API} did not accept a connection. "
                        "The healer restarts the service.",
                        "runbook_url": f"{RUNBOOKS}tcpendpointdownfast",
                    },
                )
            ],
        ),
        Scenario(
            "a single probe is lost",
            {h.TCP: during((2, 2.25, 0), usually=1)},
            {"2m": (), "2m15s": (), "3m": ()},
        ),
        Scenario(
            "a service does not answer HTTP from 2m to 5m",
            {h.HTTP: during((2, 5, 0), usually=1)},
            {"2m30s": (), "2m45s": (HTTP,), "4m45s": (HTTP,), "5m": ()},
            notifications=[
                Notification(
                    "3m",
                    HTTP,
                    {
                        "autoheal": "true",
                        "severity": "critical",
                        "service": "crm-api",
                        "instance": f"http://{API}/",
                    },
                    {
                        "autoheal": "true",
                        "summary": "crm-api does not answer HTTP",
                        "description": f"http://{API}/ accepts connections "
                        "and does not answer 2xx. "
                        "The healer restarts the service.",
                        "runbook_url": f"{RUNBOOKS}uptimeprobefailing",
                    },
                )
            ],
        ),
        Scenario(
            "no answer for 30 seconds",
            {h.HTTP: during((2, 2.5, 0), usually=1)},
            {"2m30s": (), "3m": ()},
        ),
        Scenario(
            "an exporter cannot be scraped from 2m to 5m",
            {h.UP: during((2, 5, 0), usually=1)},
            {"2m45s": (), "3m": (STALE,), "4m45s": (STALE,), "5m": ()},
            notifications=[
                Notification(
                    "4m",
                    STALE,
                    {
                        "autoheal": "true",
                        "severity": "critical",
                        "service": "crm-exporter",
                        "job": "crm-exporter",
                        "instance": EXPORTER,
                    },
                    {
                        "autoheal": "true",
                        "summary": "crm-exporter cannot be scraped",
                        "description": f"Prometheus gets no metrics from {EXPORTER}. "
                        "The healer restarts the exporter.",
                        "runbook_url": f"{RUNBOOKS}crmmetricsscrapestale",
                    },
                )
            ],
        ),
        Scenario(
            "a scrape is lost",
            {h.UP: during((2, 2.75, 0), usually=1)},
            {"2m45s": (), "3m": (), "4m": ()},
        ),
        Scenario(
            "both services are down",
            {h.TCP: always(0), h.OTHER_TCP: always(0)},
            {"1m": (TCP, TCP), "2m": (TCP, TCP)},
        ),
    ),
)
