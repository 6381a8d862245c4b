"""Fuzzing of the deployed API with its own OpenAPI document."""
