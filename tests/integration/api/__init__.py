"""The HTTP API in one process, on a real PostgreSQL."""
