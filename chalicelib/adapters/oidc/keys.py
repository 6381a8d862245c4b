"""The issuer's public keys: discovered, fetched, cached and refreshed.

Requests use the cached set. It is fetched when there is none yet, when it has reached its
maximum age, or when a token names a key that is not in it; at most once in an interval, by
one thread, with bounded time and size. When a fetch fails, the last good set stays in use.
"""

import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any, Final
from urllib.parse import urlsplit

import jwt

from chalicelib.adapters.oidc import strict_json
from chalicelib.config.oidc import OidcSettings
from chalicelib.shared.clock import Clock
from chalicelib.shared.errors import Unavailable
from chalicelib.telemetry import logs, names

DISCOVERY: Final = "/.well-known/openid-configuration"
PUBLIC_MEMBERS: Final = {"RSA": ("kty", "n", "e"), "EC": ("kty", "crv", "x", "y")}
ALGORITHMS: Final = {("RSA", None): "RS256", ("EC", "P-256"): "ES256"}
"""The algorithm of a key by its type and curve. All other keys of a set are ignored."""

MIN_RSA_BITS: Final = 2_048
MAX_KEYS: Final = 100
FIRST_RETRY_SECONDS: Final = 2.0
"""How soon a failed fetch may be repeated while there are no keys at all."""

CHUNK: Final = 65_536
Keys = Mapping[str, Mapping[str, jwt.PyJWK]]
"""Key id -> algorithm -> key."""


class IssuerKeys:
    """The keys of one issuer. Thread-safe."""

    def __init__(self, settings: OidcSettings, clock: Clock) -> None:
        """Read `settings`; nothing is fetched yet."""
        self._settings = settings
        self._clock = clock
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
            keys = usable(self._get(self._settings.jwks_url or self._discover()))
        except (OSError, HTTPException, ValueError) as problem:
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

    def _discover(self) -> str:
        """Return the address of the keys (OpenID Connect Discovery 1.0, section 4)."""
        issuer = self._settings.issuer
        metadata = self._get(issuer.rstrip("/") + DISCOVERY)
        if metadata.get("issuer") != issuer:
            raise ValueError("OIDC_ISSUER differs from the issuer that its metadata states")
        url = str(metadata.get("jwks_uri", ""))
        if urlsplit(url).scheme not in ("https", urlsplit(issuer).scheme):
            raise ValueError("jwks_uri is not an https address")
        return url

    def _get(self, url: str) -> dict[str, Any]:
        if urlsplit(url).scheme not in ("http", "https"):
            raise ValueError("not an http address")
        deadline = time.monotonic() + self._settings.timeout_seconds
        headers = {"Accept": "application/json"}
        request = urllib.request.Request(url, headers=headers)  # noqa: S310 - checked above
        body = b""
        with _OPENER.open(request, timeout=self._settings.timeout_seconds) as response:
            while chunk := response.read1(CHUNK):
                body += chunk
                if len(body) > self._settings.keys_max_bytes:
                    raise ValueError(f"more than {self._settings.keys_max_bytes} bytes")
                if time.monotonic() > deadline:
                    raise TimeoutError("the response took too long")
        return strict_json.read_object(body)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Redirects are refused: the keys come only from the issuer's own addresses."""

    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)


def usable(published: Mapping[str, Any]) -> Keys:
    """Return the keys of a JSON Web Key Set that can verify signatures here.

    Raises:
        ValueError: there are none.
    """
    published_keys = published.get("keys")
    if not isinstance(published_keys, list):
        published_keys = []
    keys: dict[str, dict[str, jwt.PyJWK]] = {}
    for members in published_keys[:MAX_KEYS]:
        key = _usable_key(members) if isinstance(members, dict) else None
        if key is not None:
            keys.setdefault(str(members["kid"]), {})[key.algorithm_name] = key
    if not keys:
        raise ValueError("no usable key in the set")
    return keys


def _usable_key(members: Mapping[str, Any]) -> jwt.PyJWK | None:
    """Return the key with the public members of `members`; None where it has another purpose."""
    kind = members.get("kty")
    curve = members.get("crv")
    algorithm = next((name for (k, c), name in ALGORITHMS.items() if (k, c) == (kind, curve)), None)
    if algorithm is None or not _verifies(members, algorithm):
        return None
    public = {name: members[name] for name in PUBLIC_MEMBERS[str(kind)] if name in members}
    try:
        key = jwt.PyJWK(public, algorithm)
    except jwt.PyJWTError:
        return None
    return None if kind == "RSA" and key.key.key_size < MIN_RSA_BITS else key


def _verifies(members: Mapping[str, Any], algorithm: str) -> bool:
    """Return whether a key has an id and may verify signatures with `algorithm`."""
    operations = members.get("key_ops", ["verify"])
    return (
        members.get("alg", algorithm) == algorithm
        and members.get("use", "sig") == "sig"
        and isinstance(members.get("kid"), str)
        and isinstance(operations, list)
        and "verify" in operations
    )
