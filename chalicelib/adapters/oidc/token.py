"""A bearer token: from the header `Authorization`, with the key and algorithm it states.

Nothing here is verified yet. Keys and addresses inside the token (`jwk`, `jku`, `x5u`,
`x5c`) are never looked at.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import jwt

from chalicelib.adapters.oidc import strict_json
from chalicelib.adapters.oidc.key_set import ALGORITHMS
from chalicelib.shared.errors import Unauthenticated

SCHEME: Final = re.compile(r"bearer +", re.IGNORECASE)
COMPACT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
ACCEPTED_TYPES: Final = ("jwt", "at+jwt", "application/at+jwt")
WHITESPACE: Final = " \t"
"""What may surround a header's value (RFC 9110, section 5.6.3)."""

OTHER_KIND: Final = (
    "The token is of another kind. Request an access token for this API and send that."
)
ACCEPTED_ALGORITHMS: Final = tuple(ALGORITHMS.values())


@dataclass(frozen=True, slots=True)
class BearerToken:
    """A signed JSON Web Token in its compact form, and what its header states."""

    text: str
    key_id: str
    algorithm: str
    type: str = ""
    """The header `typ` in lower case, without `application/`; empty where it is absent."""


def refused(code: str, detail: str) -> Unauthenticated:
    """Return the error for a missing or invalid token."""
    return Unauthenticated(
        detail, code=code, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'}
    )


def bearer_token(headers: Mapping[str, str], max_bytes: int) -> BearerToken:
    """Return the bearer token of a request.

    Args:
        headers: the request's headers, with names in lower case.
        max_bytes: how long the token may be.

    Raises:
        errors.Unauthenticated: there is no token, or it cannot be read.
    """
    text = _compact_text(headers, max_bytes)
    header = _header(text)
    key_id = header.get("kid")
    algorithm = header.get("alg")
    if algorithm not in ACCEPTED_ALGORITHMS:
        accepted = " or ".join(ACCEPTED_ALGORITHMS)
        raise refused("token-untrusted", f"The token must be signed with {accepted}.")
    if not isinstance(key_id, str):
        raise refused("token-untrusted", "The token's header must name its key (kid).")
    if "crit" in header or "b64" in header:
        raise refused(
            "token-malformed", "The token's header requires extensions that are not supported."
        )
    return BearerToken(text, key_id, str(algorithm), _type(header))


def _type(header: Mapping[str, Any]) -> str:
    """Return the type of the token, which must be an access token or a JWT of no stated type.

    Logout tokens, security events, DPoP proofs and others state theirs (RFC 8725, section 3.11).
    """
    stated = header.get("typ", "")
    if "typ" in header and (not isinstance(stated, str) or stated.lower() not in ACCEPTED_TYPES):
        raise refused("token-foreign", OTHER_KIND)
    return str(stated).lower().removeprefix("application/")


def _compact_text(headers: Mapping[str, str], max_bytes: int) -> str:
    header = headers.get("authorization", "").strip(WHITESPACE)
    scheme = SCHEME.match(header)
    if scheme is None:
        raise refused("unauthenticated", "Send the header Authorization: Bearer <token>.")
    text = header[scheme.end() :]
    if len(text) > max_bytes:
        raise refused(
            "token-too-large",
            f"The token has {len(text)} characters; the limit is {max_bytes}.",
        )
    if not COMPACT.fullmatch(text):
        raise refused(
            "token-malformed",
            "The token is not a signed JSON Web Token: three parts separated by dots.",
        )
    if not all(_canonical(part) for part in text.split(".")):
        raise refused("token-malformed", "The token's parts must be base64url (RFC 7515).")
    return text


def _canonical(part: str) -> bool:
    """Return whether `part` is the only base64url text of its bytes: no bits are left over."""
    try:
        return jwt.utils.base64url_encode(jwt.utils.base64url_decode(part)).decode() == part
    except ValueError:
        return False


def _header(text: str) -> dict[str, Any]:
    try:
        return strict_json.read_object(jwt.utils.base64url_decode(text.partition(".")[0]))
    except ValueError:
        raise refused("token-malformed", "The token's header cannot be read.") from None
