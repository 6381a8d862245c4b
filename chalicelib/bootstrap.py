"""The composition root: puts adapters into ports. Everything here is lazy and made once per process.

Only this module imports adapters, and only inside functions, so that a function loads what it uses:
importing `app` loads no database, no Kafka and no AWS client.
"""

from collections.abc import Mapping
from dataclasses import fields
from functools import cache, partial
from typing import TYPE_CHECKING
from uuid import UUID

from chalicelib import logs, names
from chalicelib.clock import Clock, SystemClock
from chalicelib.config import Settings
from chalicelib.credentials import Reference, Secret, SecretStore, plain
from chalicelib.crm.paging import Cursors
from chalicelib.crm.ports import UnitOfWork
from chalicelib.errors import AetherLinkError
from chalicelib.health import Check
from chalicelib.identity import Authenticator
from chalicelib.messaging.idempotency import LeaseStore, NoLeases, Note, Once
from chalicelib.metrics import Meter

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from chalicelib.adapters.oidc.keys import IssuerKeys
    from chalicelib.quota import TenantRate

DEVELOPMENT_SECRET = "local-development"  # noqa: S105 - Settings refuse an empty secret on any other stage


@cache
def settings() -> Settings:
    """Return this process's settings; also sets the log level."""
    found = Settings.from_env()
    logs.configure(found.log_level)
    return found


@cache
def clock() -> Clock:
    """Return the machine's clock."""
    return SystemClock()


@cache
def _issuer_keys() -> "IssuerKeys":
    from chalicelib.adapters.oidc.keys import IssuerKeys, Source

    chosen = settings()
    source = Source(
        issuer=chosen.oidc_issuer,
        jwks_url=chosen.oidc_jwks_url,
        max_age_seconds=chosen.oidc_keys_max_age_seconds,
        refresh_interval_seconds=chosen.oidc_keys_refresh_seconds,
        timeout_seconds=chosen.oidc_timeout_seconds,
        max_bytes=chosen.oidc_keys_max_bytes,
    )
    return IssuerKeys(source, clock())


@cache
def authenticator() -> Authenticator:
    """Return what tells callers apart."""
    chosen = settings()
    if not chosen.oidc_enabled:
        from chalicelib.adapters.dev_identity import HeaderIdentity

        return HeaderIdentity()
    from chalicelib.adapters.oidc.authenticator import OidcAuthenticator, Terms

    terms = Terms(
        issuer=chosen.oidc_issuer,
        audience=chosen.oidc_audience,
        tenant_claim=chosen.oidc_tenant_claim,
        roles_claim=chosen.oidc_roles_claim,
        clock_skew_seconds=chosen.oidc_clock_skew_seconds,
        max_bytes=chosen.oidc_token_max_bytes,
    )
    return OidcAuthenticator(terms, _issuer_keys())


@cache
def api_meter() -> Meter:
    """Return what measures the API."""
    from chalicelib.adapters.emf import EmfMeter

    return EmfMeter(clock(), stage=settings().stage, function="api")


def secret(setting: str) -> Secret:
    """Return the secret that the field `setting` of the settings holds or refers to."""
    return _secrets(setting)[0]


def accepted(setting: str) -> tuple[str, ...]:
    """Return every value that is accepted for the secret `setting`, the one to use first; none where it is empty."""
    if not getattr(settings(), setting):
        return ()
    return tuple(value for one in _secrets(setting) for value in one.accepted())


def _secrets(setting: str) -> list[Secret]:
    chosen = settings()
    about = next(one.metadata for one in fields(chosen) if one.name == setting)
    value = getattr(chosen, setting)
    return [
        _secret(about["env"], text, about["overlapping"]) for text in ((value,) if isinstance(value, str) else value)
    ]


@cache
def _secret(env: str, text: str, overlapping: bool) -> Secret:
    reference = Reference.parse(text)
    if reference is None:
        return plain(text, env)

    def tell(problem: AetherLinkError) -> None:
        logs.warning(names.CREDENTIAL_STALE, setting=env, code=problem.code, cause=problem.cause)

    return Secret(
        lambda: _secret_store().fetch(reference, overlapping=overlapping),
        clock(),
        refresh_seconds=settings().secrets_refresh_seconds,
        tell=tell,
    )


@cache
def _secret_store() -> SecretStore:
    from chalicelib.adapters import secrets

    chosen = settings()
    make = partial(secrets.client, timeout_seconds=chosen.secrets_timeout_seconds)
    return secrets.AwsSecretStore(make, clock(), overlap_seconds=chosen.secrets_overlap_seconds)


def cursors() -> Cursors:
    """Return the writer and reader of list cursors."""
    return Cursors(*accepted("cursor_secret") or (DEVELOPMENT_SECRET,))


@cache
def _database() -> "Engine":
    from chalicelib.adapters.postgres.unit_of_work import engine

    return engine(secret("database_url"), settings())


def unit_of_work(tenant_id: UUID, headers: Mapping[str, str], note: Note | None = None) -> UnitOfWork:
    """Return a new transaction for `tenant_id`; `headers` go with its events, `note` to the ledger."""
    from chalicelib.adapters.postgres.unit_of_work import PostgresUnitOfWork

    return PostgresUnitOfWork(_database(), settings(), tenant_id, headers, note)


@cache
def once() -> Once:
    """Return what runs a request once for its key."""
    from chalicelib.adapters.postgres import driver
    from chalicelib.adapters.postgres.guarded import Guarded
    from chalicelib.adapters.postgres.ledger import PostgresLedger

    chosen = settings()
    leases: LeaseStore = NoLeases()
    if chosen.idempotency_table:
        from chalicelib.adapters import dynamodb

        client = dynamodb.client(timeout_seconds=chosen.idempotency_timeout_seconds)
        leases = dynamodb.DynamoLeaseStore(client, chosen.idempotency_table)
    ledger = PostgresLedger(Guarded(lambda: driver.log_in(secret("database_url"), chosen, name="aetherlink-ledger")))
    return Once(leases, ledger, api_meter())


@cache
def tenant_rate() -> "TenantRate | None":
    """Return what limits a tenant's requests, if anything does."""
    chosen = settings()
    if not chosen.tenant_rate_per_second:
        return None
    from chalicelib.adapters import dynamodb
    from chalicelib.adapters.emf import EmfMeter
    from chalicelib.quota import TenantRate

    counters = dynamodb.DynamoCounters(
        dynamodb.client(timeout_seconds=chosen.idempotency_timeout_seconds), chosen.idempotency_table
    )
    meter = EmfMeter(clock(), stage=chosen.stage, function="api")
    return TenantRate(
        counters, clock(), meter, per_second=chosen.tenant_rate_per_second, burst=chosen.tenant_rate_burst
    )


def checks() -> dict[str, Check]:
    """Return what readiness depends on: a name and something that raises when it is down."""
    from chalicelib.adapters.postgres import probe as postgres

    needed: dict[str, Check] = {"postgres": lambda: postgres.probe(secret("database_url"), settings())}
    if settings().oidc_enabled:
        needed["issuer"] = lambda: _issuer_keys().check()
    return needed
