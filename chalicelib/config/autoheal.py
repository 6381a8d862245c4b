"""Settings of what the healer talks to. How it works is `autoheal.policy`."""

from dataclasses import dataclass

from chalicelib.shared.setting import number, secret, setting, words


@dataclass(frozen=True, slots=True)
class AutohealStoreSettings:
    """The healer's DynamoDB tables."""

    table_prefix: str = setting(
        "AUTOHEAL_TABLE_PREFIX",
        "",
        "What the names of the healer's DynamoDB tables start with; empty: no healer.",
    )
    timeout_seconds: float = setting(
        "AUTOHEAL_STORE_TIMEOUT_SECONDS",
        2.0,
        "Longest wait for one DynamoDB answer.",
        number(float, 0.05, 10),
    )
    audit_patience_seconds: float = setting(
        "AUTOHEAL_AUDIT_PATIENCE_SECONDS",
        0.15,
        "How long one page of the audit searches without an index before it says where to go on.",
        number(float, 0.05, 10),
    )


@dataclass(frozen=True, slots=True)
class SharedSecretSettings:
    """Secrets that are shared with other systems, and the keys of signed links."""

    webhook_tokens: tuple[str, ...] = secret(
        "AUTOHEAL_WEBHOOK_TOKENS",
        "Bearer tokens that Alertmanager may send, separated by commas; empty: none.",
        default=(),
        parse=words,
        overlapping=True,
    )
    metrics_scrape_tokens: tuple[str, ...] = secret(
        "METRICS_SCRAPE_TOKENS",
        "Bearer tokens that may read `/metrics`, separated by commas; empty: none.",
        default=(),
        parse=words,
        overlapping=True,
    )
    link_secrets: tuple[str, ...] = secret(
        "AUTOHEAL_LINK_SECRETS",
        "Keys of the acknowledge links, separated by commas: the first signs, all are accepted; "
        "empty: no links.",
        default=(),
        parse=words,
        overlapping=True,
    )


@dataclass(frozen=True, slots=True)
class EscalationSettings:
    """Who is notified of what the healer could not fix."""

    topic_arn: str = setting(
        "AUTOHEAL_ESCALATION_TOPIC_ARN",
        "",
        "SNS topic that is notified of what the healer could not fix.",
    )
    url: str = setting(
        "AUTOHEAL_ESCALATION_URL",
        "",
        "Webhook that is notified where there is no topic: JSON with `text` and `facts`.",
    )


@dataclass(frozen=True, slots=True)
class AlertmanagerSettings:
    """Where Alertmanager is."""

    url: str = setting("ALERTMANAGER_URL", "", "Alertmanager, with its route prefix if it has one.")
    timeout_seconds: float = setting(
        "ALERTMANAGER_TIMEOUT_SECONDS",
        3.0,
        "Longest wait for Alertmanager.",
        number(float, 0.05, 20),
    )


@dataclass(frozen=True, slots=True)
class SsmSettings:
    """How long to wait for Systems Manager."""

    timeout_seconds: float = setting(
        "SSM_TIMEOUT_SECONDS",
        5.0,
        "Longest wait for one Systems Manager answer.",
        number(float, 0.05, 20),
    )


@dataclass(frozen=True, slots=True)
class PushgatewaySettings:
    """Where metrics are pushed."""

    url: str = setting(
        "PUSHGATEWAY_URL", "", "Where metrics are pushed each minute; empty: nowhere."
    )
    timeout_seconds: float = setting(
        "PUSHGATEWAY_TIMEOUT_SECONDS",
        2.0,
        "Longest wait for the pushgateway.",
        number(float, 0.05, 20),
    )
