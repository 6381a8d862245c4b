"""A system in which nothing is wrong, as Prometheus sees it."""

from typing import Final

from tests.slo.scenarios.series import Series, always, counter, now

EVENT = 'autoheal_last_event_timestamp{job="autoheal"}'
PUSH = 'push_time_seconds{job="autoheal"}'
CRM_PUSH = 'push_time_seconds{job="crm"}'
PROBE = 'probe_success{job="autoheal-health"}'
ENABLED = 'autoheal_enabled{job="autoheal",env="prod"}'
LAST_ACTION = 'autoheal_action_last_timestamp{job="autoheal",alertname="UptimeProbeFailing"}'
ELIGIBLE = 'autoheal_event_total{job="autoheal",kind="action_eligible"}'
FAILURES = 'autoheal_action_failures_total{job="autoheal",alertname="UptimeProbeFailing"}'
EXECUTED = 'autoheal_actions_total{job="autoheal",alertname="UptimeProbeFailing",result="executed"}'
FAILED = 'autoheal_actions_total{job="autoheal",alertname="UptimeProbeFailing",result="failed"}'
CHAOS = (
    'autoheal_actions_total{job="autoheal",alertname="UptimeProbeFailing",'
    'result="chaos_injected_failure"}'
)
SKIPPED = (
    'autoheal_actions_total{job="autoheal",alertname="UptimeProbeFailing",result="cooldown_skip"}'
)
AUDIT = 'autoheal_audit_write_seconds_count{job="autoheal"}'
AUDIT_QUICK = 'autoheal_audit_write_seconds_bucket{job="autoheal",le="0.2"}'
AUDIT_HALF = 'autoheal_audit_write_seconds_bucket{job="autoheal",le="0.5"}'
REQUESTS = 'crm_http_requests_total{job="crm",route="/api/crm/jobs",method="GET",code="200"}'
REFUSED = 'crm_http_requests_total{job="crm",route="/api/crm/jobs",method="POST",code="422"}'
CRASHED = 'crm_http_requests_total{job="crm",route="/api/crm/jobs",method="GET",code="500"}'
TIMED = 'crm_http_request_duration_seconds_count{job="crm",code="200"}'
TIMED_QUICK = 'crm_http_request_duration_seconds_bucket{job="crm",code="200",le="0.5"}'
TIMED_SECOND = 'crm_http_request_duration_seconds_bucket{job="crm",code="200",le="1"}'
CRASHED_TIMED = 'crm_http_request_duration_seconds_count{job="crm",code="500"}'
CRASHED_QUICK = 'crm_http_request_duration_seconds_bucket{job="crm",code="500",le="0.5"}'
PENDING = 'outbox_pending{job="crm"}'
OLDEST = 'outbox_oldest_pending_timestamp{job="crm"}'
PARKED = 'outbox_parked_streams{job="crm"}'
TCP = 'probe_success{job="services-tcp",service="crm-api",instance="127.0.0.1:18081"}'
HTTP = 'probe_success{job="services-http",service="crm-api",instance="http://127.0.0.1:18081/"}'
UP = 'up{job="services",service="crm-exporter",instance="127.0.0.1:18082"}'
OTHER_TCP = 'probe_success{job="services-tcp",service="crm-exporter",instance="127.0.0.1:18082"}'

PER_MINUTE: Final = 1_000.0
"""Events of each kind, so that tenths of a percent are whole events."""


def healthy() -> Series:
    """Return every series that the rules look at."""
    busy = counter(usually=PER_MINUTE)
    none = always(0)
    timestamps: Series = dict.fromkeys((EVENT, PUSH, CRM_PUSH, LAST_ACTION, OLDEST), now)
    ones: Series = dict.fromkeys((PROBE, ENABLED, TCP, OTHER_TCP, HTTP, UP), always(1))
    failures: Series = dict.fromkeys(
        (FAILURES, FAILED, CHAOS, CRASHED, CRASHED_TIMED, CRASHED_QUICK), none
    )
    outbox: Series = dict.fromkeys((PENDING, PARKED), none)
    counters: Series = dict.fromkeys(
        (EXECUTED, SKIPPED, ELIGIBLE, REQUESTS, TIMED, TIMED_QUICK, TIMED_SECOND), busy
    )
    audit: Series = dict.fromkeys((AUDIT, AUDIT_QUICK, AUDIT_HALF), busy)
    return (
        timestamps | ones | failures | outbox | counters | audit | {REFUSED: counter(usually=100)}
    )
