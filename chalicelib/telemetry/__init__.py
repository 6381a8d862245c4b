"""Logs and metrics: what is measured, how it adds up, how it is exposed."""
