"""Notifying people through an SNS topic, a webhook, or the log where neither is configured."""

import json
from collections.abc import Mapping
from typing import Any

import boto3
import urllib3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.shared.errors import Unavailable
from chalicelib.telemetry import logs, names

MAX_SUBJECT_LENGTH = 100
"""The limit of SNS."""


class SnsEscalation:
    """An `Escalation` that publishes to a topic."""

    def __init__(self, topic_arn: str, *, timeout_seconds: float) -> None:
        """Publish to `topic_arn`."""
        self._topic = topic_arn
        self._limits = Config(connect_timeout=timeout_seconds, read_timeout=timeout_seconds)

    def notify(self, subject: str, facts: Mapping[str, Any]) -> None:
        """Publish the facts as JSON. SNS accepts only ASCII in subjects."""
        ascii_subject = "".join(char if " " <= char <= "~" else "?" for char in subject)
        try:
            sns = boto3.client("sns", config=self._limits)
            sns.publish(
                TopicArn=self._topic,
                Subject=ascii_subject[:MAX_SUBJECT_LENGTH],
                Message=json.dumps(dict(facts), indent=2),
            )
        except (BotoCoreError, ClientError) as problem:
            raise _failed(f"{type(problem).__name__}: {problem}") from problem


class WebhookEscalation:
    """An `Escalation` that posts `{"text": ..., "facts": ...}`, which chat systems accept."""

    def __init__(self, url: str, *, timeout_seconds: float) -> None:
        """Post to `url`."""
        self._url = url
        limits = urllib3.Timeout(connect=timeout_seconds, read=timeout_seconds)
        self._pool = urllib3.PoolManager(timeout=limits, retries=False, maxsize=1)

    def notify(self, subject: str, facts: Mapping[str, Any]) -> None:
        """Post the facts."""
        body = json.dumps({"text": subject, "facts": dict(facts)}).encode()
        headers = {"Content-Type": "application/json"}
        try:
            response = self._pool.request(
                "POST", self._url, body=body, headers=headers, redirect=False
            )
        except (urllib3.exceptions.HTTPError, OSError) as problem:
            raise _failed(type(problem).__name__) from problem
        if response.status >= 300:
            raise _failed(str(response.status))


class LogEscalation:
    """An `Escalation` for deployments that configure none: it writes an error to the log."""

    def notify(self, subject: str, facts: Mapping[str, Any]) -> None:
        """Log the facts."""
        logs.error(
            names.AUTOHEAL_ESCALATION_FAILED,
            cause="no escalation target is configured",
            subject=subject,
            facts=dict(facts),
        )


def _failed(cause: str) -> Unavailable:
    return Unavailable(
        "The escalation could not be delivered.", code="escalation-unavailable", cause=cause[:300]
    )
