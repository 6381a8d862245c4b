"""Secrets that are kept in a store: rotation, failures, and no leaks."""
