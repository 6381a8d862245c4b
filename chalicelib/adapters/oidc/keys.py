"""The issuer's public keys: found, fetched, kept, and fetched again when the issuer has new ones.

Requests use what is in memory. A fetch happens when nothing was fetched yet, when the set
has reached its age, or when a token names a key that is not in it; at most once an
interval, by one thread, with bounded time and bytes. When a fetch fails, the last good set
is used on.
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
"""What a key may be used for, by its type and curve. Every other key of a set is left alone."""

MIN_RSA_BITS: Final = 2_048
MAX_KEYS: Final = 100
FIRST_RETRY_SECONDS: Final = 2.0
"""How soon a failed fetch may be repeated while there are no keys at all."""

CHUNK: Final = 65_536
Keys = Mapping[str, Mapping[str, jwt.PyJWK]]
"""Key id -> algorithm -> key."""


class IssuerKeys:
    """The keys of one issuer. Threads share it."""

    def __init__(self, settings: OidcSettings, clock: Clock) -> None:
        """Fetch nothing yet."""
        self._settings = settings
        self._clock = clock
        self._keys: Keys | None = None
        self._fetched_at = self._tried_at = float("-inf")
        self._fetching = threading.Lock()

    def find(self, key_id: str) -> Mapping[str, jwt.PyJWK]:
        """Return the keys that the issuer publishes under `key_id`, by algorithm; empty where there are none.

        Raises:
            errors.Unavailable: the issuer does not answer, and never did.
        """
        return self._with(key_id).get(key_id, {})

    def check(self) -> None:
        """Raise `errors.Unavailable` where no token could be verified; asks the issuer only while there are no keys."""
        self._with(None)

    def _with(self, key_id: str | None) -> Keys:
        """Return the keys, fetched if there are none, if they are old, or if `key_id` is not among them."""
        seen = self._keys
        if seen is None or (key_id is not None and key_id not in seen):
            with self._fetching:
                if self._keys is seen:  # nobody else fetched while this thread waited
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
                "Tokens cannot be verified just now: the sign-in service does not answer. Try again soon.",
                code="issuer-unavailable",
                headers={"Retry-After": str(round(FIRST_RETRY_SECONDS))},
                cause=f"no keys from {self._settings.issuer}",
            )
        return self._keys

    def _fetch(self) -> None:
        """Fetch the set unless that was tried within the interval; keep the last good one where it fails."""
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
        """Return where the issuer's metadata says the keys are (OpenID Connect Discovery 1.0, section 4)."""
        issuer = self._settings.issuer
        found = self._get(issuer.rstrip("/") + DISCOVERY)
        if found.get("issuer") != issuer:
            raise ValueError(
                "the metadata is another issuer's: OIDC_ISSUER must be what it calls itself"
            )
        url = str(found.get("jwks_uri", ""))
        if urlsplit(url).scheme not in ("https", urlsplit(issuer).scheme):
            raise ValueError("jwks_uri is no https address")
        return url

    def _get(self, url: str) -> dict[str, Any]:
        if urlsplit(url).scheme not in ("http", "https"):
            raise ValueError("no http address")
        deadline = time.monotonic() + self._settings.timeout_seconds
        request = urllib.request.Request(url, headers={"Accept": "application/json"})
        body = b""
        with _OPENER.open(request, timeout=self._settings.timeout_seconds) as answer:
            while chunk := answer.read1(CHUNK):
                body += chunk
                if len(body) > self._settings.keys_max_bytes:
                    raise ValueError(f"more than {self._settings.keys_max_bytes} bytes")
                if time.monotonic() > deadline:
                    raise TimeoutError("too slow")
        return strict_json.read_object(body)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """An issuer's addresses are exact; where a redirect leads nobody has vouched for."""

    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)


def usable(published: Mapping[str, Any]) -> Keys:
    """Return the signature keys of a JSON Web Key Set that this product verifies with.

    Raises:
        ValueError: there are none.
    """
    listed = published.get("keys")
    found: dict[str, dict[str, jwt.PyJWK]] = {}
    for one in listed[:MAX_KEYS] if isinstance(listed, list) else ():
        key = _usable(one) if isinstance(one, dict) else None
        if key is not None:
            found.setdefault(str(one["kid"]), {})[key.algorithm_name] = key
    if not found:
        raise ValueError("no usable key in the set")
    return found


def _usable(one: Mapping[str, Any]) -> jwt.PyJWK | None:
    """Return the key that `one` describes, of its public members alone; None where it serves another purpose."""
    kind = one.get("kty")
    curve = one.get("crv")
    operations = one.get("key_ops", ["verify"])
    algorithm = next(
        (found for (t, c), found in ALGORITHMS.items() if (t, c) == (kind, curve)), None
    )
    if (
        algorithm is None
        or one.get("alg", algorithm) != algorithm
        or one.get("use", "sig") != "sig"
    ):
        return None
    if not (
        isinstance(one.get("kid"), str) and isinstance(operations, list) and "verify" in operations
    ):
        return None
    try:
        key = jwt.PyJWK(
            {name: one[name] for name in PUBLIC_MEMBERS[str(kind)] if name in one},
            algorithm,
        )
    except jwt.PyJWTError:
        return None
    return None if kind == "RSA" and key.key.key_size < MIN_RSA_BITS else key
