"""The container: settings, clock, and the services of each room, made when first needed.

Adapters are imported inside the properties, so that a function loads only what it uses:
importing `app` loads no database driver, no Kafka client and no AWS client.
"""

from functools import cached_property
from typing import TYPE_CHECKING

from chalicelib.shared.clock import Clock, SystemClock

if TYPE_CHECKING:
    from chalicelib.bootstrap.access import AccessServices
    from chalicelib.bootstrap.autoheal import AutohealServices
    from chalicelib.bootstrap.crm import CrmServices
    from chalicelib.bootstrap.idempotency import IdempotencyServices
    from chalicelib.bootstrap.outbox import OutboxServices
    from chalicelib.bootstrap.secrets import SecretServices
    from chalicelib.bootstrap.telemetry import TelemetryServices
    from chalicelib.config import Settings


class Container:
    """Everything that one process works with."""

    def __init__(self, settings: "Settings", clock: Clock | None = None) -> None:
        """Hold `settings` and `clock` (the system clock by default).

        Everything else is made when it is first needed.
        """
        self.settings = settings
        self.clock: Clock = clock or SystemClock()

    @classmethod
    def from_env(cls) -> "Container":
        """Return a container with the settings of the environment; also sets the log level.

        Raises:
            errors.Misconfigured: a setting cannot be read.
        """
        from chalicelib.config.reader import from_env
        from chalicelib.telemetry import logs

        settings = from_env()
        logs.configure(settings.log_level)
        return cls(settings)

    @cached_property
    def secrets(self) -> "SecretServices":
        """Secrets, by the setting that holds or refers to them."""
        from chalicelib.bootstrap.secrets import SecretServices

        return SecretServices(self)

    @cached_property
    def access(self) -> "AccessServices":
        """Who calls: sign-in, rate limit, cursors, readiness."""
        from chalicelib.bootstrap.access import AccessServices

        return AccessServices(self)

    @cached_property
    def crm(self) -> "CrmServices":
        """The business on PostgreSQL."""
        from chalicelib.bootstrap.crm import CrmServices

        return CrmServices(self)

    @cached_property
    def idempotency(self) -> "IdempotencyServices":
        """Idempotent requests."""
        from chalicelib.bootstrap.idempotency import IdempotencyServices

        return IdempotencyServices(self)

    @cached_property
    def outbox(self) -> "OutboxServices":
        """The outbox: relay, replay, administration, upkeep."""
        from chalicelib.bootstrap.outbox import OutboxServices

        return OutboxServices(self)

    @cached_property
    def autoheal(self) -> "AutohealServices":
        """The healer."""
        from chalicelib.bootstrap.autoheal import AutohealServices

        return AutohealServices(self)

    @cached_property
    def telemetry(self) -> "TelemetryServices":
        """Meters, metric totals, and where they are pushed."""
        from chalicelib.bootstrap.telemetry import TelemetryServices

        return TelemetryServices(self)
