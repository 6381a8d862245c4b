"""The client of DynamoDB."""

from typing import Any

import boto3
from botocore.config import Config


def client(*, timeout_seconds: float) -> Any:
    """Return a DynamoDB client that gives up after `timeout_seconds` and one retry."""
    limits = Config(
        connect_timeout=timeout_seconds,
        read_timeout=timeout_seconds,
        retries={"total_max_attempts": 2, "mode": "standard"},
    )
    return boto3.client("dynamodb", config=limits)
