"""How sample data reaches the API: requests over HTTP, and what a test replaces."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from infra.local.seed_data import Fields

CALL_SECONDS = 30
RETRIES = Retry(
    total=4,
    connect=0,
    backoff_factor=0.5,
    status_forcelist=(429, 503),
    allowed_methods=None,
    raise_on_status=False,
)
"""Repeating a request is safe, because each that writes has an idempotency key."""


class SeedFailed(Exception):
    """A request was refused or not answered; the text has the remedy."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a request: status, JSON body, and headers with names in lower case."""

    status: int
    body: Any
    headers: Mapping[str, str]


class Transport(Protocol):
    """Sends a request to the API as a signed-in user."""

    def __call__(
        self, method: str, path: str, body: Fields | None, headers: Mapping[str, str]
    ) -> Reply:
        """Return the answer. Raises `SeedFailed` where there is none."""
        ...


class HttpTransport:
    """Sends requests to the deployed API with a bearer token."""

    def __init__(self, url: str, token: str, workers: int) -> None:
        """Keep up to `workers` connections to the API at `url`."""
        self._url = url
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {token}"
        adapter = HTTPAdapter(pool_maxsize=workers, max_retries=RETRIES)
        self._session.mount("http://", adapter)

    def __call__(
        self, method: str, path: str, body: Fields | None, headers: Mapping[str, str]
    ) -> Reply:
        """Return the answer. Raises `SeedFailed` where there is none."""
        try:
            response = self._session.request(
                method,
                self._url + path,
                json=body,
                headers=dict(headers),
                timeout=CALL_SECONDS,
            )
            answer = response.json()
        except requests.RequestException as error:
            reason = type(error).__name__
            remedy = "Run `make status`, then `make up`."
            raise SeedFailed(f"{method} {path}: {reason}. {remedy}") from None
        names = {name.lower(): value for name, value in response.headers.items()}
        return Reply(response.status_code, answer, names)
