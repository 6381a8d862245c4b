"""The issuer's public keys: discovered, fetched, cached and refreshed.

Requests use the cached set. It is fetched when there is none yet, when it has reached its
maximum age, or when a token names a key that is not in it; at most once in an interval, by
one thread, with bounded time and size. When a fetch fails, the last good set stays in use.
"""

import threading
import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import jwt

from chalicelib.adapters.oidc import strict_json
from chalicelib.adapters.oidc.key_set import Keys, usable
from chalicelib.config.oidc import OidcSettings
from chalicelib.shared.clock import Clock
from chalicelib.shared.errors import Unavailable
from chalicelib.shared.http import HttpClient, HttpError
from chalicelib.telemetry import logs, names

DISCOVERY: Final = "/.well-known/openid-configuration"
FIRST_RETRY_SECONDS: Final = 2.0
"""How soon a failed fetch may be repeated while there are no keys at all."""

HTTP_OK: Final = 200


class IssuerKeys:
    """The keys of one issuer. Thread-safe."""

    def __init__(self, settings: OidcSettings, clock: Clock, http: HttpClient) -> None:
        """Read `settings`; nothing is fetched yet. `http` calls the issuer."""
        self._settings = settings
        self._clock = clock
        self._http = http
        self._keys: Keys | None = None
        self._fetched_at = float("-inf")
        self._tried_at = float("-inf")
        self._fetching = threading.Lock()

    def find(self, key_id: str) -> Mapping[str, jwt.PyJWK]:
        """Return the keys with the id `key_id`, by algorithm; empty where there are none.

        Raises:
            errors.Unavailable: the issuer cannot be reached, and never could.
        """
        return self._keys_with(key_id).get(key_id, {})

    def check(self) -> None:
        """Check that tokens can be verified. Calls the issuer only while there are no keys.

        Raises:
            errors.Unavailable: there are no keys.
        """
        self._keys_with(None)

    def _keys_with(self, key_id: str | None) -> Keys:
        """Return the keys; fetch them if there are none, if they are old, or lack `key_id`."""
        seen = self._keys
        if seen is None or (key_id is not None and key_id not in seen):
            with self._fetching:
                if self._keys is seen:  # no other thread has fetched them meanwhile
                    self._fetch()
        elif (
            self._clock.monotonic() - self._fetched_at >= self._settings.keys_max_age_seconds
            and self._fetching.acquire(blocking=False)
        ):
            try:
                self._fetch()
            finally:
                self._fetching.release()
        if self._keys is None:
            raise Unavailable(
                "Tokens cannot be verified because the sign-in service cannot be reached. "
                "Try again soon.",
                code="issuer-unavailable",
                headers={"Retry-After": str(round(FIRST_RETRY_SECONDS))},
                cause=f"no keys from {self._settings.issuer}",
            )
        return self._keys

    def _fetch(self) -> None:
        """Fetch the keys, at most once in an interval. After a failure the last good set stays."""
        now = self._clock.monotonic()
        interval = self._settings.keys_refresh_seconds
        pause = min(interval, FIRST_RETRY_SECONDS) if self._keys is None else interval
        if now - self._tried_at < pause:
            return
        self._tried_at = now
        try:
            keys = self._fetched_keys()
        except (HttpError, ValueError) as problem:
            logs.warning(
                names.OIDC_KEYS_TROUBLE,
                issuer=self._settings.issuer,
                cause=str(problem),
                kept=self._keys is not None,
            )
            return
        self._keys = keys
        self._fetched_at = self._clock.monotonic()
        logs.info(names.OIDC_KEYS_FETCHED, issuer=self._settings.issuer, keys=len(keys))

    def _fetched_keys(self) -> Keys:
        """Return the issuer's usable keys; all calls together take OIDC_TIMEOUT_SECONDS at most.

        Raises:
            HttpError: the issuer cannot be reached, or is too slow.
            ValueError: an answer is not usable.
        """
        deadline = time.monotonic() + self._settings.timeout_seconds
        url = self._settings.jwks_url or self._discover(deadline)
        return usable(self._get(url, deadline))

    def _discover(self, deadline: float) -> str:
        """Return the address of the keys (OpenID Connect Discovery 1.0, section 4)."""
        issuer = self._settings.issuer
        metadata = self._get(issuer.rstrip("/") + DISCOVERY, deadline)
        if metadata.get("issuer") != issuer:
            raise ValueError("OIDC_ISSUER differs from the issuer that its metadata states")
        url = str(metadata.get("jwks_uri", ""))
        if urlsplit(url).scheme not in ("https", urlsplit(issuer).scheme):
            raise ValueError("jwks_uri is not an https address")
        return url

    def _get(self, url: str, deadline: float) -> dict[str, Any]:
        """Return the JSON object at `url`. A redirect is refused, as is any answer but a 200."""
        seconds_left = deadline - time.monotonic()
        if seconds_left <= 0:
            raise ValueError("the issuer took too long")
        answer = self._http.request(
            "GET",
            url,
            timeout_seconds=seconds_left,
            max_bytes=self._settings.keys_max_bytes,
            headers={"Accept": "application/json"},
        )
        if answer.status != HTTP_OK:
            raise ValueError(f"the issuer answered {answer.status}")
        return strict_json.read_object(answer.body)
