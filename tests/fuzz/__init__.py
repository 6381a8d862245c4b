"""Fuzzing of the deployed API by its own document."""
