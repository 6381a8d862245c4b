"""Scenarios by which promtool tests the Prometheus rules, and mutants that test the tests."""
