"""Telling people: an SNS topic, a webhook that takes JSON, or the log where neither is set."""

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
"""What SNS takes."""


class SnsEscalation:
    """An `Escalation` that publishes to a topic."""

    def __init__(self, topic_arn: str, *, timeout_seconds: float) -> None:
        """Publish to `topic_arn`."""
        self._topic = topic_arn
        self._limits = Config(connect_timeout=timeout_seconds, read_timeout=timeout_seconds)

    def notify(self, subject: str, facts: Mapping[str, Any]) -> None:
        """Publish the facts, as JSON."""
        plain = "".join(char if " " <= char <= "~" else "?" for char in subject)[
            :MAX_SUBJECT_LENGTH
        ]
        try:
            sns = boto3.client("sns", config=self._limits)
            sns.publish(
                TopicArn=self._topic,
                Subject=plain,
                Message=json.dumps(dict(facts), indent=2),
            )
        except (BotoCoreError, ClientError) as problem:
            raise _untold(f"{type(problem).__name__}: {problem}") from problem


class WebhookEscalation:
    """An `Escalation` that posts `{"text": ..., "facts": ...}`, which chat systems take."""

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
            answer = self._pool.request(
                "POST", self._url, body=body, headers=headers, redirect=False
            )
        except (urllib3.exceptions.HTTPError, OSError) as problem:
            raise _untold(type(problem).__name__) from problem
        if answer.status >= 300:
            raise _untold(str(answer.status))


class LogEscalation:
    """An `Escalation` for deployments that set none: an error line in the log."""

    def notify(self, subject: str, facts: Mapping[str, Any]) -> None:
        """Write the line."""
        logs.error(
            names.AUTOHEAL_ESCALATION_FAILED,
            cause="no escalation target is configured",
            subject=subject,
            facts=dict(facts),
        )


def _untold(cause: str) -> Unavailable:
    return Unavailable(
        "The escalation could not be delivered.", code="escalation-unavailable", cause=cause[:300]
    )
