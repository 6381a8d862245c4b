"""Objectives as data, and everything that is made from them: `python -m infra.slo`."""
