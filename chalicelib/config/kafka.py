"""Settings of the Kafka client."""

from dataclasses import dataclass

from chalicelib.shared.setting import number, one_of, secret, setting


@dataclass(frozen=True, slots=True)
class KafkaSettings:
    """How to reach the brokers."""

    bootstrap_servers: str = setting(
        "KAFKA_BOOTSTRAP_SERVERS", "", "Kafka brokers, `host:port` separated by commas."
    )
    security_protocol: str = setting(
        "KAFKA_SECURITY_PROTOCOL",
        "PLAINTEXT",
        "How to talk to the brokers.",
        one_of("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"),
    )
    sasl_mechanism: str = setting(
        "KAFKA_SASL_MECHANISM",
        "",
        "Kafka authentication; `AWS_MSK_IAM` signs with the function's own role.",
        one_of("", "AWS_MSK_IAM", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"),
    )
    username: str = setting("KAFKA_USERNAME", "", "User for PLAIN and SCRAM.")
    password: str = secret("KAFKA_PASSWORD", "Password for PLAIN and SCRAM.")
    compression: str = setting(
        "KAFKA_COMPRESSION",
        "none",
        "Compression of record batches.",
        one_of("none", "gzip", "lz4"),
    )
    api_version: str = setting(
        "KAFKA_API_VERSION",
        "",
        "Broker version to assume, e.g. `2.3`; empty asks the broker.",
    )
    request_timeout_ms: int = setting(
        "KAFKA_REQUEST_TIMEOUT_MS",
        5_000,
        "Longest wait for one broker answer.",
        number(int, 100, 60_000),
    )
    delivery_timeout_ms: int = setting(
        "KAFKA_DELIVERY_TIMEOUT_MS",
        12_000,
        "Longest wait for one record's acknowledgement.",
        number(int, 200, 120_000),
    )
