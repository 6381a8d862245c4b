"""Whom the local stack's tokens are for."""

from uuid import UUID

CLIENT = "aetherlink"
"""The client id of everything that signs in locally, and the tokens' audience."""

DEFAULT_TENANT = UUID("0197a3c0-5f3e-7cc4-9d0a-2b8b6f0f1e11")
"""The tenant of local tokens that name no other; also the operators' tenant."""
