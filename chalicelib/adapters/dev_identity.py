"""Who calls, for development: `X-Tenant-Id` and `X-Roles` are believed. Settings allow it on stage local only."""

from collections.abc import Mapping
from uuid import UUID

from chalicelib.security.identity import Principal, Role
from chalicelib.shared.errors import Unauthenticated


class HeaderIdentity:
    """An `Authenticator` that takes the caller's word for it."""

    def authenticate(self, headers: Mapping[str, str]) -> Principal:
        """Return the principal that the headers name.

        Raises:
            errors.Unauthenticated: a header is missing or cannot be read; says which and
            what it should be.
        """
        tenant = headers.get("x-tenant-id", "")
        roles = headers.get("x-roles", "")
        try:
            tenant_id = UUID(tenant)
        except ValueError:
            raise _unauthenticated("X-Tenant-Id must be a UUID") from None
        try:
            granted = frozenset(
                Role(role.strip().lower()) for role in roles.split(",") if role.strip()
            )
        except ValueError:
            granted = frozenset()
        if not granted:
            raise _unauthenticated(f"X-Roles must name some of: {', '.join(Role)}")
        return Principal(
            subject=headers.get("x-subject", "developer"),
            tenant_id=tenant_id,
            roles=granted,
        )


def _unauthenticated(reason: str) -> Unauthenticated:
    return Unauthenticated(
        f"{reason} while OIDC_ENABLED is false.", headers={"WWW-Authenticate": "Bearer"}
    )
