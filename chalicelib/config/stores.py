"""Settings of the idempotency keys in DynamoDB, and of the secret store."""

from dataclasses import dataclass

from chalicelib.shared.setting import boolean, number, setting


@dataclass(frozen=True, slots=True)
class IdempotencySettings:
    """Where idempotency keys are kept."""

    table: str = setting(
        "IDEMPOTENCY_TABLE",
        "",
        "DynamoDB table of idempotency keys; empty keeps them in PostgreSQL alone.",
    )
    required: bool = setting(
        "IDEMPOTENCY_REQUIRED",
        False,
        "Refuse creates without an `Idempotency-Key`.",
        boolean,
    )
    timeout_seconds: float = setting(
        "IDEMPOTENCY_TIMEOUT_SECONDS",
        1.0,
        "Longest wait for DynamoDB; it is tried twice at most.",
        number(float, 0.05, 10),
    )


@dataclass(frozen=True, slots=True)
class SecretSettings:
    """How secrets are read from Secrets Manager and SSM."""

    refresh_seconds: float = setting(
        "SECRETS_REFRESH_SECONDS",
        300.0,
        "How long a secret is used before it is read again.",
        number(float, 1, 86_400),
    )
    overlap_seconds: float = setting(
        "SECRETS_OVERLAP_SECONDS",
        86_400.0,
        "How long the previous signing secret is still accepted after a rotation.",
        number(float, 0, 2_592_000),
    )
    timeout_seconds: float = setting(
        "SECRETS_TIMEOUT_SECONDS",
        1.0,
        "Longest wait for the secret store; it is tried twice at most.",
        number(float, 0.05, 10),
    )
