"""Every setting of the product, with its unit, default and meaning. The only reader of the environment."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from chalicelib.config_autoheal import AutohealSettings
from chalicelib.credentials import Reference
from chalicelib.errors import Misconfigured
from chalicelib.setting import boolean as _boolean
from chalicelib.setting import number as _number
from chalicelib.setting import one_of as _one_of
from chalicelib.setting import secret as _secret
from chalicelib.setting import setting as _setting
from chalicelib.setting import words

_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:\d{1,5})?")


def _origins(text: str) -> tuple[str, ...]:
    origins = words(text)
    for one in origins:
        if not _ORIGIN.fullmatch(one):
            raise ValueError(f"{one} is no origin such as https://crm.example.com, without path")
    return origins


@dataclass(frozen=True, slots=True)
class Settings(AutohealSettings):
    """The whole configuration, read once per process. Each field names its environment variable."""

    stage: str = _setting("STAGE", "local", "Which deployment this is.", _one_of("local", "dev", "prod"))
    log_level: str = _setting(
        "LOG_LEVEL", "INFO", "Least severe log line to write.", _one_of("DEBUG", "INFO", "WARNING", "ERROR")
    )

    max_body_bytes: int = _setting(
        "MAX_BODY_BYTES", 1_000_000, "Largest request body accepted, in bytes.", _number(int, 1_000, 6_000_000)
    )

    cors_allowed_origins: tuple[str, ...] = _setting(
        "CORS_ALLOWED_ORIGINS", (), "Origins whose pages may call the API, separated by commas; empty: none.", _origins
    )

    idempotency_table: str = _setting(
        "IDEMPOTENCY_TABLE", "", "DynamoDB table of idempotency keys; empty keeps them in PostgreSQL alone."
    )
    idempotency_required: bool = _setting(
        "IDEMPOTENCY_REQUIRED", False, "Refuse creates without an `Idempotency-Key`.", _boolean
    )
    idempotency_timeout_seconds: float = _setting(
        "IDEMPOTENCY_TIMEOUT_SECONDS", 1.0, "Longest wait for DynamoDB, twice at most.", _number(float, 0.05, 10)
    )

    tenant_rate_per_second: float = _setting(
        "TENANT_RATE_PER_SECOND",
        0.0,
        "Requests a second that one tenant may send; 0 sets no limit.",
        _number(float, 0, 100_000),
    )
    tenant_rate_burst: int = _setting(
        "TENANT_RATE_BURST", 100, "Requests that one tenant may send at once.", _number(int, 1, 1_000_000)
    )

    secrets_refresh_seconds: float = _setting(
        "SECRETS_REFRESH_SECONDS",
        300.0,
        "How long a secret is used before it is read again.",
        _number(float, 1, 86_400),
    )
    secrets_overlap_seconds: float = _setting(
        "SECRETS_OVERLAP_SECONDS",
        86_400.0,
        "How long after a rotation the previous signing secret is accepted too.",
        _number(float, 0, 2_592_000),
    )
    secrets_timeout_seconds: float = _setting(
        "SECRETS_TIMEOUT_SECONDS", 1.0, "Longest wait for the secret store, twice at most.", _number(float, 0.05, 10)
    )

    cursor_secret: str = _secret(
        "CURSOR_SECRET",
        "Signs the cursors of lists; the same for all functions. Needed except on stage local.",
        overlapping=True,
    )

    database_url: str = _secret(
        "DATABASE_URL", "PostgreSQL as the API role: `postgresql://user:password@host:port/database`."
    )
    relay_database_url: str = _secret(
        "RELAY_DATABASE_URL", "PostgreSQL as the relay role; the relay and the outbox endpoints use it."
    )
    database_connect_timeout_seconds: float = _setting(
        "DATABASE_CONNECT_TIMEOUT_SECONDS", 3.0, "Longest wait for a database connection.", _number(float, 0.1, 30)
    )
    database_statement_timeout_ms: int = _setting(
        "DATABASE_STATEMENT_TIMEOUT_MS", 10_000, "Longest a statement may run.", _number(int, 100, 300_000)
    )
    database_tls: bool = _setting(
        "DATABASE_TLS", False, "Connect to PostgreSQL over TLS with a verified certificate.", _boolean
    )

    kafka_bootstrap_servers: str = _setting(
        "KAFKA_BOOTSTRAP_SERVERS", "", "Kafka brokers, `host:port` separated by commas."
    )
    kafka_security_protocol: str = _setting(
        "KAFKA_SECURITY_PROTOCOL",
        "PLAINTEXT",
        "How to talk to the brokers.",
        _one_of("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"),
    )
    kafka_sasl_mechanism: str = _setting(
        "KAFKA_SASL_MECHANISM",
        "",
        "Kafka authentication; `AWS_MSK_IAM` signs with the function's own role.",
        _one_of("", "AWS_MSK_IAM", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"),
    )
    kafka_username: str = _setting("KAFKA_USERNAME", "", "User for PLAIN and SCRAM.")
    kafka_password: str = _secret("KAFKA_PASSWORD", "Password for PLAIN and SCRAM.")
    kafka_compression: str = _setting(
        "KAFKA_COMPRESSION", "none", "Compression of record batches.", _one_of("none", "gzip", "lz4")
    )
    kafka_api_version: str = _setting(
        "KAFKA_API_VERSION", "", "Broker version to assume, e.g. `2.3`; empty asks the broker."
    )
    kafka_request_timeout_ms: int = _setting(
        "KAFKA_REQUEST_TIMEOUT_MS", 5_000, "Longest wait for one broker answer.", _number(int, 100, 60_000)
    )
    kafka_delivery_timeout_ms: int = _setting(
        "KAFKA_DELIVERY_TIMEOUT_MS",
        12_000,
        "Longest wait for one record's acknowledgement.",
        _number(int, 200, 120_000),
    )

    outbox_topic_template: str = _setting(
        "OUTBOX_TOPIC_TEMPLATE",
        "aetherlink.events.{event_type}",
        "Topic of an event; `{event_type}` becomes the type in lower case. Without it all events share one topic.",
    )
    outbox_dead_letter_topic: str = _setting(
        "OUTBOX_DEAD_LETTER_TOPIC", "aetherlink.events.dlq", "Where copies of parked events go."
    )
    outbox_topic_partitions: int = _setting(
        "OUTBOX_TOPIC_PARTITIONS", 3, "Partitions of each topic that the set-up creates.", _number(int, 1, 1_000)
    )
    outbox_shards: int = _setting(
        "OUTBOX_SHARDS", 8, "Shards that streams are spread over; the set-up adds missing ones.", _number(int, 1, 1_024)
    )
    outbox_archive_retention_days: int = _setting(
        "OUTBOX_ARCHIVE_RETENTION_DAYS", 14, "Days that published events stay replayable.", _number(int, 1, 3_650)
    )

    relay_poll_seconds: float = _setting(
        "RELAY_POLL_SECONDS", 1.0, "Pause between looks at an empty outbox.", _number(float, 0.05, 5)
    )
    relay_wave_rows: int = _setting(
        "RELAY_WAVE_ROWS", 2_000, "Most events published at once; bounds the relay's memory.", _number(int, 1, 20_000)
    )
    relay_wave_bytes: int = _setting(
        "RELAY_WAVE_BYTES", 8_000_000, "Most payload bytes in one wave.", _number(int, 1_000, 256_000_000)
    )
    relay_max_attempts: int = _setting(
        "RELAY_MAX_ATTEMPTS",
        5,
        "Refusals of one event by the broker before its stream is parked.",
        _number(int, 1, 100),
    )
    relay_backoff_base_seconds: float = _setting(
        "RELAY_BACKOFF_BASE_SECONDS", 0.5, "First pause after broker trouble; it doubles.", _number(float, 0.01, 60)
    )
    relay_backoff_max_seconds: float = _setting(
        "RELAY_BACKOFF_MAX_SECONDS", 30.0, "Longest pause after broker trouble.", _number(float, 0.01, 600)
    )
    replay_events_per_second: float = _setting(
        "REPLAY_EVENTS_PER_SECOND", 500.0, "Fastest that replays send.", _number(float, 1, 100_000)
    )
    relay_shards_per_run: int = _setting(
        "RELAY_SHARDS_PER_RUN",
        1_024,
        "Most shards one relay takes. For N relays at once, set it to OUTBOX_SHARDS / N, rounded up.",
        _number(int, 1, 1_024),
    )
    relay_stop_margin_seconds: float = _setting(
        "RELAY_STOP_MARGIN_SECONDS", 1.5, "How long before its own timeout the relay stops.", _number(float, 0.5, 30)
    )
    relay_lease_margin_seconds: float = _setting(
        "RELAY_LEASE_MARGIN_SECONDS",
        5.0,
        "How long a shard's lease outlives the invocation that holds it.",
        _number(float, 0.5, 60),
    )

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> "Settings":
        """Read every setting from `env` (the process environment by default).

        Raises:
            Misconfigured: naming each variable that cannot be read and what it may be.
        """
        source = os.environ if env is None else env
        values: dict[str, Any] = {}
        problems = []
        for one in fields(cls):
            name = one.metadata["env"]
            text = source.get(name)
            if text is None:
                continue
            try:
                values[one.name] = one.metadata["parse"](text)
            except ValueError as problem:
                secret = one.metadata.get("secret")
                problems.append(f"{name}: (a secret, not shown)" if secret else f"{name}={text!r}: {problem}")
        if problems:
            raise Misconfigured("Settings that cannot be read: " + "; ".join(problems))
        settings = cls(**values)
        if trouble := settings.access_problem(settings.stage):
            raise Misconfigured(trouble)
        if not settings.cursor_secret and settings.stage != "local":
            raise Misconfigured(
                f"CURSOR_SECRET is empty on stage {settings.stage}. Refer it to a secret of 32 random characters."
            )
        if settings.tenant_rate_per_second and not settings.idempotency_table:
            raise Misconfigured("TENANT_RATE_PER_SECOND counts in the table that IDEMPOTENCY_TABLE names. Set it too.")
        refuse_plain_secrets(source, settings.stage)
        if settings.autoheal_chaos_failure_rate and not settings.autoheal_chaos_until and settings.stage == "prod":
            raise Misconfigured("AUTOHEAL_CHAOS_FAILURE_RATE has no end on stage prod. Set AUTOHEAL_CHAOS_UNTIL.")
        return settings


def refuse_plain_secrets(env: Mapping[str, str], stage: str) -> None:
    """Let no secret stand in the environment of a deployed stage: everybody who may see the function would see it.

    Raises:
        Misconfigured: naming each variable that has to be a reference.
    """
    found = [
        one.metadata["env"]
        for one in fields(Settings)
        if one.metadata.get("secret")
        and any(not Reference.parse(text) for text in words(env.get(one.metadata["env"], "")))
    ]
    if found and stage != "local":
        raise Misconfigured(
            f"{', '.join(found)}: a secret in plain text on stage {stage}. Keep it in Secrets Manager or in SSM as a "
            f"SecureString, and set {found[0]}=secretsmanager:<name>[#<key>] or {found[0]}=ssm:<name>."
        )
