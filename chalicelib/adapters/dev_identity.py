"""Development sign-in: the headers `X-Tenant-Id` and `X-Roles` are trusted, on stage local only."""

from collections.abc import Mapping
from uuid import UUID

from chalicelib.security.identity import Principal, Role
from chalicelib.shared.errors import Unauthenticated


class HeaderIdentity:
    """An `Authenticator` that trusts request headers."""

    def authenticate(self, headers: Mapping[str, str]) -> Principal:
        """Return the principal that the headers name.

        Raises:
            errors.Unauthenticated: a header is missing or not valid. The detail says which.
        """
        try:
            tenant_id = UUID(headers.get("x-tenant-id", ""))
        except ValueError:
            raise _unauthenticated("X-Tenant-Id must be a UUID") from None
        roles = _roles(headers.get("x-roles", ""))
        if not roles:
            raise _unauthenticated(f"X-Roles must name one or more of: {', '.join(Role)}")
        return Principal(
            subject=headers.get("x-subject", "developer"),
            tenant_id=tenant_id,
            roles=roles,
        )


def _roles(header: str) -> frozenset[Role]:
    """Return the roles that the header lists; none where one of them is unknown."""
    names = [name.strip(" ").lower() for name in header.split(",") if name.strip(" ")]
    try:
        return frozenset(Role(name) for name in names)
    except ValueError:
        return frozenset()


def _unauthenticated(reason: str) -> Unauthenticated:
    return Unauthenticated(
        f"{reason} while OIDC_ENABLED is false.", headers={"WWW-Authenticate": "Bearer"}
    )
