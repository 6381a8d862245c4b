"""The caller's identity, and the port that every way of signing in implements."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from uuid import UUID


class Role(StrEnum):
    """A set of permissions: `sales` uses the CRM, `ops` runs the system, `admin` does both."""

    ADMIN = "admin"
    OPS = "ops"
    SALES = "sales"


@dataclass(frozen=True, slots=True)
class Principal:
    """A verified caller."""

    subject: str
    tenant_id: UUID
    roles: frozenset[Role]


class Authenticator(Protocol):
    """Turns request headers into a `Principal`."""

    def authenticate(self, headers: Mapping[str, str]) -> Principal:
        """Return the caller that `headers` (names in lower case) identify.

        Raises:
            errors.Unauthenticated: credentials are missing or invalid.
            errors.Forbidden: the caller is known, but asks for another tenant.
        """
        ...
