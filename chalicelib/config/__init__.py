"""Every setting of the product, by section. A room's section is its policy object."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from chalicelib.autoheal.policy import AutohealPolicy
from chalicelib.config.autoheal import (
    AlertmanagerSettings,
    AutohealStoreSettings,
    EscalationSettings,
    PushgatewaySettings,
    SharedSecretSettings,
    SsmSettings,
)
from chalicelib.config.database import DatabaseSettings
from chalicelib.config.http import HttpSettings
from chalicelib.config.kafka import KafkaSettings
from chalicelib.config.oidc import OidcSettings
from chalicelib.config.outbox import OutboxSettings
from chalicelib.config.stores import IdempotencySettings, SecretSettings
from chalicelib.outbox.policy import RelayPolicy, ReplayPolicy
from chalicelib.security.rate_limit import RateLimitPolicy
from chalicelib.shared.setting import one_of, optional, setting


@dataclass(frozen=True, slots=True)
class Settings:
    """The whole configuration, read once per process by `config.reader`."""

    stage: str = setting(
        "STAGE", "local", "Which deployment this is.", one_of("local", "dev", "prod")
    )
    log_level: str = setting(
        "LOG_LEVEL",
        "INFO",
        "Least severe log line to write.",
        one_of("DEBUG", "INFO", "WARNING", "ERROR"),
    )
    operator_tenant_id: UUID | None = setting(  # noqa: RUF009 - declares a field
        "OPERATOR_TENANT_ID",
        None,
        "The operators' tenant: its ops and admin users see every tenant's outbox. "
        "Empty: no one does.",
        optional(UUID),
    )
    oidc: OidcSettings = field(default_factory=OidcSettings)
    http: HttpSettings = field(default_factory=HttpSettings)
    tenant_rate: RateLimitPolicy = field(default_factory=RateLimitPolicy)
    idempotency: IdempotencySettings = field(default_factory=IdempotencySettings)
    secrets: SecretSettings = field(default_factory=SecretSettings)
    database: DatabaseSettings = field(default_factory=DatabaseSettings)
    kafka: KafkaSettings = field(default_factory=KafkaSettings)
    outbox: OutboxSettings = field(default_factory=OutboxSettings)
    relay: RelayPolicy = field(default_factory=RelayPolicy)
    replay: ReplayPolicy = field(default_factory=ReplayPolicy)
    autoheal: AutohealPolicy = field(default_factory=AutohealPolicy)
    autoheal_store: AutohealStoreSettings = field(default_factory=AutohealStoreSettings)
    shared_secrets: SharedSecretSettings = field(default_factory=SharedSecretSettings)
    escalation: EscalationSettings = field(default_factory=EscalationSettings)
    alertmanager: AlertmanagerSettings = field(default_factory=AlertmanagerSettings)
    ssm: SsmSettings = field(default_factory=SsmSettings)
    pushgateway: PushgatewaySettings = field(default_factory=PushgatewaySettings)

    def changed(self, **changes: Any) -> "Settings":
        """Return settings with some values replaced; those of a section are given as a mapping.

        For example `settings.changed(stage="dev", kafka={"bootstrap_servers":
        "127.0.0.1:9092"})`.
        """
        values = {
            name: replace(getattr(self, name), **change) if isinstance(change, Mapping) else change
            for name, change in changes.items()
        }
        return replace(self, **values)
