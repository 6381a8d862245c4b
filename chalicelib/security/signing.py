"""Bearer secrets, and texts that carry this service's signature.

A sealed text is an HMAC-SHA256 (RFC 2104) over a purpose and a body, followed by the body,
in URL-safe base64 without padding (RFC 4648). The purpose is signed but is not part of the
text, so a seal for one use is worthless for another. Several keys may be accepted at once:
the first signs, the others are being phased out.
"""

import hashlib
import hmac
import json
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from chalicelib.shared.errors import BadLink, LinkExpired

SIGNATURE_BYTES = hashlib.sha256().digest_size
MAX_LINK_LENGTH = 2_048
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
SCHEME = "bearer"


def bearer_is(headers: Mapping[str, str], accepted: Sequence[str]) -> bool:
    """Return whether `Authorization: Bearer` has one of the `accepted` secrets.

    The names of `headers` are in lower case. Every secret is compared, each in constant
    time. An empty secret never matches.
    """
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    sent = credentials.strip().encode("utf-8", "surrogatepass")
    matches = False
    for secret in accepted:
        same = hmac.compare_digest(sent, secret.encode("utf-8", "surrogatepass"))
        matches |= same and bool(secret)
    return matches and scheme.lower() == SCHEME


def seal(body: bytes, purpose: str, keys: Sequence[str]) -> str:
    """Return `body` signed for `purpose` with the first of the `keys`, safe in a URL.

    Raises:
        ValueError: there is no key, or it is empty.
    """
    signature = _signature(body, purpose, _usable(keys)[0])
    return _encode(signature + body)


def unseal(text: str, purpose: str, keys: Sequence[str], *, max_length: int) -> bytes:
    """Return the body of a sealed `text` of at most `max_length` characters.

    Raises:
        ValueError: none of the `keys` sealed this text for `purpose`.
    """
    if len(text) > max_length:
        raise ValueError("too long")
    raw = b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if _encode(raw) != text:
        # The last character of base64 may have spare bits, so several texts decode alike.
        raise ValueError("another spelling of the same bytes")
    signature = raw[:SIGNATURE_BYTES]
    body = raw[SIGNATURE_BYTES:]
    valid = False
    for key in _usable(keys):
        valid |= hmac.compare_digest(signature, _signature(body, purpose, key))
    if not valid:
        raise ValueError("not sealed with any of the keys")
    return body


class Links:
    """Signed links: claims for one purpose that expire. Nothing is stored."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Sign with the first of the `keys` and accept all of them.

        Raises:
            ValueError: there is no key, or one is empty.
        """
        self._keys = _usable(keys)

    def sign(self, purpose: str, claims: Mapping[str, str], expires_at: datetime) -> str:
        """Return the token with `claims` for `purpose`, valid until `expires_at` (timezone-aware).

        Raises:
            ValueError: it would be longer than `MAX_LINK_LENGTH` characters.
        """
        content = {"claims": dict(claims), "until": _microseconds(expires_at)}
        body = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
        token = seal(body, purpose, self._keys)
        if len(token) > MAX_LINK_LENGTH:
            raise ValueError(
                f"the link has {len(token)} characters; at most {MAX_LINK_LENGTH} are allowed"
            )
        return token

    def read(self, token: str, purpose: str, now: datetime) -> Mapping[str, str]:
        """Return the claims of `token`.

        Raises:
            errors.BadLink: it was not signed with one of the keys for `purpose`.
            errors.LinkExpired: it expired at `now` or earlier.
        """
        try:
            content = json.loads(unseal(token, purpose, self._keys, max_length=MAX_LINK_LENGTH))
        except ValueError:
            raise BadLink(
                "This link is not valid or has been altered. Ask for a new one."
            ) from None
        if _microseconds(now) >= content["until"]:
            raise LinkExpired("This link has expired. Ask for a new one.")
        claims: dict[str, str] = content["claims"]
        return claims


def _encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def _usable(keys: Sequence[str]) -> tuple[str, ...]:
    if not keys or not all(keys):
        raise ValueError("signing needs at least one key, and no empty key")
    return tuple(keys)


def _signature(body: bytes, purpose: str, key: str) -> bytes:
    # JSON escapes line ends, so the first line end is where the body begins.
    scope = json.dumps(purpose).encode()
    return hmac.new(key.encode(), scope + b"\n" + body, hashlib.sha256).digest()


def _microseconds(moment: datetime) -> int:
    return (moment - EPOCH) // MICROSECOND
