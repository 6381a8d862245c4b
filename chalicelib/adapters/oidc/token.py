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
from chalicelib.adapters.oidc.keys import ALGORITHMS
from chalicelib.shared.errors import Unauthenticated

SCHEME: Final = re.compile(r"bearer +", re.IGNORECASE)
COMPACT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
ACCEPTED_ALGORITHMS: Final = tuple(ALGORITHMS.values())


@dataclass(frozen=True, slots=True)
class BearerToken:
    """A signed JSON Web Token in its compact form, and what its header states."""

    text: str
    key_id: str
    algorithm: str


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
    return BearerToken(text, key_id, str(algorithm))


def _compact_text(headers: Mapping[str, str], max_bytes: int) -> str:
    header = headers.get("authorization", "").strip()
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
    return text


def _header(text: str) -> dict[str, Any]:
    try:
        return strict_json.read_object(jwt.utils.base64url_decode(text.partition(".")[0]))
    except ValueError:
        raise refused("token-malformed", "The token's header cannot be read.") from None
