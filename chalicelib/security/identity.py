"""Who is calling, and for which tenant: the port that every way of signing in fills."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from uuid import UUID


class Role(StrEnum):
    """What a person may do: `sales` works the CRM, `ops` runs the system, `admin` does both."""

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
        """Return the caller that `headers` (names in lower case) prove.

        Raises:
            errors.Unauthenticated: nobody, or a proof that does not hold.
            errors.Forbidden: a known caller who asks for another tenant.
        """
        ...
