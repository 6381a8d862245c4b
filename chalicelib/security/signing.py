"""What proves itself: a bearer secret that a caller shares, and texts that carry this service's own signature.

A seal is HMAC-SHA256 (RFC 2104) over a purpose and a body, both in URL-safe base64 without
padding (RFC 4648). The purpose is part of what is signed and no part of the text, so that a
seal for one use is worth nothing for another. Several keys may be accepted at once: the
first signs, and the others are on their way out.
"""

import hashlib
import hmac
import json
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from chalicelib.shared.errors import BadLink, LinkExpired

SIGNATURE_BYTES = hashlib.sha256().digest_size
LONGEST_LINK = 2_048
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
SCHEME = "bearer"


def bearer_is(headers: Mapping[str, str], accepted: Sequence[str]) -> bool:
    """Tell whether `Authorization: Bearer` in `headers` (names in lower case) holds one of the `accepted` secrets.

    Every secret is compared, each in a time that says nothing about it. An empty one is no
    secret: none matches.
    """
    scheme, _, stated = headers.get("authorization", "").partition(" ")
    sent = stated.strip().encode("utf-8", "surrogatepass")
    found = False
    for secret in accepted:
        same = hmac.compare_digest(sent, secret.encode("utf-8", "surrogatepass"))
        found |= same and bool(secret)
    return found and scheme.lower() == SCHEME


def seal(body: bytes, purpose: str, keys: Sequence[str]) -> str:
    """Return `body` signed for `purpose` with the first of the `keys`, fit for a URL.

    Raises:
        ValueError: there is no key, or it is empty.
    """
    return (
        urlsafe_b64encode(_signature(body, purpose, _usable(keys)[0]) + body).decode().rstrip("=")
    )


def unseal(text: str, purpose: str, keys: Sequence[str], *, longest: int) -> bytes:
    """Return the body of a sealed `text` of at most `longest` characters.

    Raises:
        ValueError: none of the `keys` sealed this text for `purpose`.
    """
    if len(text) > longest:
        raise ValueError("too long")
    raw = b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if urlsafe_b64encode(raw).decode().rstrip("=") != text:
        raise ValueError(
            "another spelling of the same bytes"
        )  # base64 has them: the last character's spare bits
    signature = raw[:SIGNATURE_BYTES]
    body = raw[SIGNATURE_BYTES:]
    found = False
    for key in _usable(keys):
        found |= hmac.compare_digest(signature, _signature(body, purpose, key))
    if not found:
        raise ValueError("not sealed with any of the keys")
    return body


class Links:
    """Signed links: claims that hold until a moment, for one purpose, with nothing kept on our side."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Sign with the first of the `keys` and accept them all.

        Raises:
            ValueError: there is no key, or one is empty.
        """
        self._keys = _usable(keys)

    def sign(self, purpose: str, claims: Mapping[str, str], expires_at: datetime) -> str:
        """Return the token that states `claims` for `purpose` until `expires_at` (with a time zone).

        Raises:
            ValueError: it would be longer than `LONGEST_LINK` characters.
        """
        stated = {"claims": dict(claims), "until": _microseconds(expires_at)}
        token = seal(
            json.dumps(stated, sort_keys=True, separators=(",", ":")).encode(),
            purpose,
            self._keys,
        )
        if len(token) > LONGEST_LINK:
            raise ValueError(f"a link of {len(token)} characters; at most {LONGEST_LINK} fit")
        return token

    def read(self, token: str, purpose: str, now: datetime) -> Mapping[str, str]:
        """Return the claims of `token`.

        Raises:
            errors.BadLink: it was not signed here, or not for `purpose`.
            errors.LinkExpired: it held until `now` or some time before.
        """
        try:
            stated = json.loads(unseal(token, purpose, self._keys, longest=LONGEST_LINK))
        except ValueError:
            raise BadLink(
                "This link is not valid or has been altered. Ask for a new one."
            ) from None
        if _microseconds(now) >= stated["until"]:
            raise LinkExpired("This link has expired. Ask for a new one.")
        claims: dict[str, str] = stated["claims"]
        return claims


def _usable(keys: Sequence[str]) -> tuple[str, ...]:
    if not keys or not all(keys):
        raise ValueError("signing needs at least one key, and none that is empty")
    return tuple(keys)


def _signature(body: bytes, purpose: str, key: str) -> bytes:
    scope = json.dumps(
        purpose
    ).encode()  # escapes line ends: the first one is where the body begins
    return hmac.new(key.encode(), scope + b"\n" + body, hashlib.sha256).digest()


def _microseconds(moment: datetime) -> int:
    return (moment - EPOCH) // MICROSECOND
