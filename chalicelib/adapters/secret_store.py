"""Secrets from AWS Secrets Manager and SSM, with every wait bounded."""

from collections.abc import Callable
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.security.secrets import Reference
from chalicelib.shared.clock import Clock
from chalicelib.shared.errors import Misconfigured, Unavailable

OURS = (
    "AccessDeniedException",
    "DecryptionFailure",
    "InvalidRequestException",
    "ParameterNotFound",
    "ResourceNotFoundException",
    "UnrecognizedClientException",
    "ValidationException",
)
"""Answers that blame what is set up here: asking again would not help."""

GONE = ("ResourceNotFoundException", "InvalidRequestException")
PREVIOUS = "AWSPREVIOUS"


class AwsSecretStore:
    """A `SecretStore`."""

    def __init__(
        self, client: Callable[[str], Any], clock: Clock, *, overlap_seconds: float
    ) -> None:
        """Use the clients that `client` makes; accept a previous value for `overlap_seconds` after a rotation."""
        self._client = cache(client)
        self._clock = clock
        self._overlap = overlap_seconds

    def fetch(self, reference: Reference, *, overlapping: bool) -> tuple[str, ...]:
        """Return the present value, then those still accepted; one call, and a second just after a rotation."""
        try:
            if reference.service == "ssm":
                return reference.values(self._parameter(reference))
            present = self._client("secretsmanager").get_secret_value(SecretId=reference.name)
            values = reference.values(_text(present))
            age = self._clock.now() - present["CreatedDate"]
            if overlapping and age.total_seconds() < self._overlap:
                values += self._previous(reference)
            return values
        except ClientError as problem:
            code = problem.response["Error"]["Code"]
            if code in OURS:
                raise Misconfigured(f"{reference} cannot be read: {code}.") from None
            raise _unavailable(code) from None
        except BotoCoreError as problem:
            raise _unavailable(type(problem).__name__) from None

    def _parameter(self, reference: Reference) -> str:
        found = self._client("ssm").get_parameter(Name=reference.name, WithDecryption=True)
        return str(found["Parameter"]["Value"])

    def _previous(self, reference: Reference) -> tuple[str, ...]:
        try:
            found = self._client("secretsmanager").get_secret_value(
                SecretId=reference.name, VersionStage=PREVIOUS
            )
        except ClientError as problem:
            if problem.response["Error"]["Code"] in GONE:
                return ()  # its first version
            raise
        return reference.values(_text(found))


def client(service: str, *, timeout_seconds: float) -> Any:
    """Return a client of `service` that gives up after `timeout_seconds` and one retry."""
    limits = Config(
        connect_timeout=timeout_seconds,
        read_timeout=timeout_seconds,
        retries={"total_max_attempts": 2, "mode": "standard"},
    )
    make: Any = boto3.client  # its type has an overload for every service by name
    return make(service, config=limits)


def _text(found: dict[str, Any]) -> str:
    return str(found["SecretString"]) if "SecretString" in found else found["SecretBinary"].decode()


def _unavailable(cause: str) -> Unavailable:
    return Unavailable(
        "The secret store cannot be reached. Nothing was changed. Try again soon.",
        code="secrets-unavailable",
        headers={"Retry-After": "5"},
        cause=cause,
    )
