"""Secrets from AWS Secrets Manager and SSM parameters, within bounded time."""

from collections.abc import Callable
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.security.secrets import Reference
from chalicelib.shared.clock import Clock
from chalicelib.shared.errors import Misconfigured, Unavailable

CONFIGURATION_ERRORS = (
    "AccessDeniedException",
    "DecryptionFailure",
    "InvalidRequestException",
    "ParameterNotFound",
    "ResourceNotFoundException",
    "UnrecognizedClientException",
    "ValidationException",
)
"""Error codes with a cause in the configuration: trying again would not help."""

NO_SUCH_VERSION = ("ResourceNotFoundException", "InvalidRequestException")
PREVIOUS = "AWSPREVIOUS"


class AwsSecretStore:
    """A `SecretStore` on AWS."""

    def __init__(
        self, client: Callable[[str], Any], clock: Clock, *, overlap_seconds: float
    ) -> None:
        """Use boto3 clients.

        Args:
            client: returns a client by the name of its service.
            clock: the current time.
            overlap_seconds: how long a previous value stays accepted after a rotation.
        """
        self._client = cache(client)
        self._clock = clock
        self._overlap = overlap_seconds

    def fetch(self, reference: Reference, *, overlapping: bool) -> tuple[str, ...]:
        """Return the current value, then those that are still accepted.

        Makes one call, and a second one shortly after a rotation.

        Raises:
            errors.Misconfigured: there is no such secret, or it may not be read.
            errors.Unavailable: the store cannot be reached.
        """
        try:
            if reference.service == "ssm":
                return reference.values(self._parameter(reference))
            current = self._client("secretsmanager").get_secret_value(SecretId=reference.name)
            values = reference.values(_text(current))
            age = self._clock.now() - current["CreatedDate"]
            if overlapping and age.total_seconds() < self._overlap:
                values += self._previous(reference)
            return values
        except ClientError as problem:
            code = problem.response["Error"]["Code"]
            if code in CONFIGURATION_ERRORS:
                raise Misconfigured(f"{reference} cannot be read: {code}.") from None
            raise _unavailable(code) from None
        except BotoCoreError as problem:
            raise _unavailable(type(problem).__name__) from None

    def _parameter(self, reference: Reference) -> str:
        response = self._client("ssm").get_parameter(Name=reference.name, WithDecryption=True)
        return str(response["Parameter"]["Value"])

    def _previous(self, reference: Reference) -> tuple[str, ...]:
        try:
            response = self._client("secretsmanager").get_secret_value(
                SecretId=reference.name, VersionStage=PREVIOUS
            )
        except ClientError as problem:
            if problem.response["Error"]["Code"] in NO_SUCH_VERSION:
                return ()  # the secret has had one version only
            raise
        return reference.values(_text(response))


def client(service: str, *, timeout_seconds: float) -> Any:
    """Return a client of `service` that gives up after `timeout_seconds` and one retry."""
    limits = Config(
        connect_timeout=timeout_seconds,
        read_timeout=timeout_seconds,
        retries={"total_max_attempts": 2, "mode": "standard"},
    )
    make: Any = boto3.client  # typed by an overload for each service's literal name
    return make(service, config=limits)


def _text(response: dict[str, Any]) -> str:
    if "SecretString" in response:
        return str(response["SecretString"])
    return str(response["SecretBinary"].decode())


def _unavailable(cause: str) -> Unavailable:
    return Unavailable(
        "The secret store cannot be reached. Nothing was changed. Try again soon.",
        code="secrets-unavailable",
        headers={"Retry-After": "5"},
        cause=cause,
    )
