"""Who calls: sign-in, the rate limit, cursors, and what readiness depends on."""

from functools import cached_property
from typing import TYPE_CHECKING

from chalicelib.security.cursors import Cursors
from chalicelib.security.identity import Authenticator
from chalicelib.shared.health import Check

if TYPE_CHECKING:
    from chalicelib.adapters.oidc.keys import IssuerKeys
    from chalicelib.bootstrap.container import Container
    from chalicelib.security.rate_limit import TenantRate

DEVELOPMENT_SECRET = "local-development"  # noqa: S105 - refused on any other stage


class AccessServices:
    """What the doors ask about a caller."""

    def __init__(self, container: "Container") -> None:
        """Make nothing yet."""
        self._container = container

    @cached_property
    def issuer_keys(self) -> "IssuerKeys":
        """The public keys of the OpenID Connect issuer."""
        from chalicelib.adapters.http import DeadlineHttpClient
        from chalicelib.adapters.oidc.keys import IssuerKeys

        settings = self._container.settings.oidc
        return IssuerKeys(settings, self._container.clock, DeadlineHttpClient())

    @cached_property
    def authenticator(self) -> Authenticator:
        """What identifies callers."""
        settings = self._container.settings
        if not settings.oidc.enabled:
            from chalicelib.adapters.dev_identity import HeaderIdentity

            return HeaderIdentity()
        from chalicelib.adapters.oidc.authenticator import OidcAuthenticator

        return OidcAuthenticator(
            settings.oidc,
            self.issuer_keys,
            accept_id_tokens=settings.oidc.id_tokens_accepted(settings.stage),
        )

    @cached_property
    def tenant_rate(self) -> "TenantRate | None":
        """What limits a tenant's requests; None where there is no limit."""
        settings = self._container.settings
        if not settings.tenant_rate.per_second:
            return None
        from chalicelib.adapters.dynamodb.client import client
        from chalicelib.adapters.dynamodb.counters import DynamoCounters
        from chalicelib.security.rate_limit import TenantRate

        dynamodb = client(timeout_seconds=settings.idempotency.timeout_seconds)
        counters = DynamoCounters(dynamodb, settings.idempotency.table)
        meter = self._container.telemetry.log_meter("api")
        return TenantRate(counters, self._container.clock, meter, settings.tenant_rate)

    def cursors(self) -> Cursors:
        """Return the writer and reader of list cursors."""
        return Cursors(
            *self._container.secrets.accepted("http.cursor_secret") or (DEVELOPMENT_SECRET,)
        )

    def checks(self) -> dict[str, Check]:
        """Return what readiness depends on: a name, and a check that raises when it is down."""
        from chalicelib.adapters.postgres import probe

        database_url = self._container.secrets.secret("database.url")
        settings = self._container.settings
        checks: dict[str, Check] = {
            "postgres": lambda: probe.probe(database_url, settings.database)
        }
        if settings.oidc.enabled:
            checks["issuer"] = lambda: self.issuer_keys.check()
        return checks
