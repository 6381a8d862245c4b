"""Outgoing HTTP, as a dependency: one client for every service that the product calls itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


class HttpError(Exception):
    """The exchange failed: no connection, a broken answer, or one that is too late or too large."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A whole answer. Header names are in lower case."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class HttpClient(Protocol):
    """Sends one request and reads the whole answer, in bounded time and memory."""

    def request(
        self,
        method: str,
        url: str,
        *,
        timeout_seconds: float,
        max_bytes: int,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> HttpResponse:
        """Send a request to an `http` or `https` address. Redirects are answers, not followed.

        Args:
            method: GET, POST, ...
            url: the whole address, without user name and fragment.
            timeout_seconds: bounds the whole exchange, from looking up the name to the last byte.
            max_bytes: the largest body that is read.
            body: what to send.
            headers: sent as they are.

        Raises:
            HttpError: says what failed, without the address.
        """
        ...
