"""The settings of the healer and of metrics; part of `config.Settings`, which reads them."""

from dataclasses import dataclass

from chalicelib.config_access import AccessSettings
from chalicelib.setting import boolean, number, optional, secret, setting, words

DAY = 86_400
COOLDOWN = optional(number(int, 0, DAY))


@dataclass(frozen=True, slots=True)
class AutohealSettings(AccessSettings):
    """What the healer is told by its deployment. Seconds, unless the name says otherwise."""

    autoheal_enabled: bool = setting(
        "AUTOHEAL_ENABLED", False, "Heal alerts, until somebody sets a mode at `/autoheal/config`.", boolean
    )
    autoheal_dry_run: bool = setting(
        "AUTOHEAL_DRY_RUN", True, "Only say what would be done, until somebody sets a mode.", boolean
    )
    autoheal_chaos_failure_rate: float = setting(
        "AUTOHEAL_CHAOS_FAILURE_RATE",
        0.0,
        "Percent of actions that fail on purpose, until somebody sets it at `/autoheal/config`.",
        number(float, 0, 10),
    )
    autoheal_chaos_until: float = setting(
        "AUTOHEAL_CHAOS_UNTIL",
        0.0,
        "When the above ends, Unix seconds; 0 is never, and is refused on stage prod.",
        number(float, 0, 1e11),
    )
    autoheal_chaos_seed: str = setting("AUTOHEAL_CHAOS_SEED", "aetherlink", "Chooses which actions fail on purpose.")
    autoheal_default_cooldown_sec: int = setting(
        "AUTOHEAL_DEFAULT_COOLDOWN_SEC", 600, "How long a target is left alone after an action.", number(int, 0, DAY)
    )
    cooldown_tcp_endpoint_down_fast_sec: int | None = setting(
        "COOLDOWN_TCP_ENDPOINT_DOWN_FAST_SEC", None, "The same, after TcpEndpointDownFast.", COOLDOWN
    )
    cooldown_uptime_probe_failing_sec: int | None = setting(
        "COOLDOWN_UPTIME_PROBE_FAILING_SEC", None, "The same, after UptimeProbeFailing.", COOLDOWN
    )
    cooldown_crm_metrics_scrape_stale_sec: int | None = setting(
        "COOLDOWN_CRM_METRICS_SCRAPE_STALE_SEC", None, "The same, after CrmMetricsScrapeStale.", COOLDOWN
    )
    autoheal_fleet_cap: int = setting(
        "AUTOHEAL_FLEET_CAP", 4, "Most actions under way at once, over all alerts.", number(int, 1, 50)
    )
    autoheal_approval_seconds: int = setting(
        "AUTOHEAL_APPROVAL_SECONDS", 1_800, "How long an action waits for approval.", number(int, 60, DAY)
    )
    autoheal_table_prefix: str = setting(
        "AUTOHEAL_TABLE_PREFIX", "", "What the names of the healer's DynamoDB tables start with; empty: no healer."
    )
    autoheal_store_timeout_seconds: float = setting(
        "AUTOHEAL_STORE_TIMEOUT_SECONDS", 2.0, "Longest wait for one DynamoDB answer.", number(float, 0.05, 10)
    )
    autoheal_audit_patience_seconds: float = setting(
        "AUTOHEAL_AUDIT_PATIENCE_SECONDS",
        0.15,
        "How long one page of the audit looks for what no index has, before it says where to go on.",
        number(float, 0.05, 10),
    )
    autoheal_webhook_tokens: tuple[str, ...] = secret(
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
    autoheal_webhook_seconds: float = setting(
        "AUTOHEAL_WEBHOOK_SECONDS",
        7.0,
        "How long one call of the webhook is worked on; Alertmanager waits for `group_interval`, at least 10.",
        number(float, 0.5, 60),
    )
    autoheal_public_url: str = setting(
        "AUTOHEAL_PUBLIC_URL", "", "Where people reach this API, for the links in messages, e.g. `https://host/api`."
    )
    autoheal_link_secrets: tuple[str, ...] = secret(
        "AUTOHEAL_LINK_SECRETS",
        "Keys of the acknowledge links, separated by commas: the first signs, all are accepted; empty: no links.",
        default=(),
        parse=words,
        overlapping=True,
    )
    autoheal_escalation_topic_arn: str = setting(
        "AUTOHEAL_ESCALATION_TOPIC_ARN", "", "SNS topic that is told what the healer could not cure."
    )
    autoheal_escalation_url: str = setting(
        "AUTOHEAL_ESCALATION_URL", "", "Webhook that is told, where there is no topic: JSON with `text` and `facts`."
    )
    alertmanager_url: str = setting("ALERTMANAGER_URL", "", "Alertmanager, with its route prefix if it has one.")
    alertmanager_timeout_seconds: float = setting(
        "ALERTMANAGER_TIMEOUT_SECONDS", 3.0, "Longest wait for Alertmanager.", number(float, 0.05, 20)
    )
    ssm_timeout_seconds: float = setting(
        "SSM_TIMEOUT_SECONDS", 5.0, "Longest wait for one Systems Manager answer.", number(float, 0.05, 20)
    )
    pushgateway_url: str = setting("PUSHGATEWAY_URL", "", "Where metrics are pushed each minute; empty: nowhere.")
    pushgateway_timeout_seconds: float = setting(
        "PUSHGATEWAY_TIMEOUT_SECONDS", 2.0, "Longest wait for the pushgateway.", number(float, 0.05, 20)
    )
