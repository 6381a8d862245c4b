"""Tenants are kept apart: by the database alone, and through the API."""
