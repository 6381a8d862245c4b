"""Scenarios for promtool: each alert fires, recovers, and stays silent in near misses."""

from tests.slo.scenarios import (
    burn,
    heartbeat,
    long_silence,
    services,
    slices,
    symptoms,
    values,
)
from tests.slo.scenarios.suite import Suite

SUITES: tuple[Suite, ...] = (
    slices.SUITE,
    heartbeat.SUITE,
    symptoms.ACTIONS,
    symptoms.AUDIT,
    symptoms.OUTBOX,
    services.SUITE,
    burn.PAGING,
    burn.TICKET,
    burn.FEW,
    long_silence.GONE,
    long_silence.STALE_ACTIONS,
    *values.SUITES,
)
