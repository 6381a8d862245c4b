"""Tests of the Prometheus rules: the scenarios that promtool runs, and mutants that test the tests."""
