"""What kind of token an issuer signed: only access tokens are accepted (RFC 8725, section 3.11).

An issuer signs tokens for several purposes with the same keys. A logout token, a security
event, a refresh token or a token that is bound to its sender must not pass as a bearer token.
"""

from collections.abc import Mapping
from typing import Any, Final

from chalicelib.adapters.oidc.token import OTHER_KIND, refused

FOREIGN_CLAIMS: Final = (
    "events",  # security events and logout tokens (RFC 8417, OpenID Connect Back-Channel Logout)
    "cnf",  # bound to a key that the sender has to prove (RFC 7800, 8705, 9449)
    "htm",  # a DPoP proof (RFC 9449)
    "htu",
    "token_introspection",  # an introspection response (RFC 9701)
)
KIND_CLAIMS: Final = ("typ", "token_use", "token_type")
"""Claims in which issuers state the kind: Keycloak, Cognito, and others."""

ACCESS_KINDS: Final = ("bearer", "access", "access_token", "jwt", "at+jwt")
ID_KINDS: Final = ("id", "id_token")
ACCESS_TYPE: Final = "at+jwt"
HASH_CLAIMS: Final = ("at_hash", "c_hash", "s_hash")
"""Only ID tokens have them (OpenID Connect Core 1.0, section 3.3.2.11)."""

ACCESS_CLAIMS: Final = ("scope", "scp", "client_id")
"""Claims of access tokens (RFC 9068, section 2.2; `scp`: Entra ID and Okta)."""


def check_kind(token_type: str, claims: Mapping[str, Any], *, accept_id_tokens: bool) -> None:
    """Check that a verified token is an access token, or an ID token if those are accepted.

    Args:
        token_type: the header `typ` in lower case, or an empty text.
        claims: the token's claims.
        accept_id_tokens: whether an ID token counts as a bearer token.

    Raises:
        errors.Unauthenticated: it is of another kind.
    """
    stated = [_kind(claims[name]) for name in KIND_CLAIMS if name in claims]
    foreign = any(kind not in ACCESS_KINDS + ID_KINDS for kind in stated)
    if foreign or any(name in claims for name in FOREIGN_CLAIMS):
        raise refused("token-foreign", OTHER_KIND)
    if not accept_id_tokens and _is_id_token(token_type, stated, claims):
        raise refused(
            "token-foreign",
            "The token is an ID token. Request an access token for this API and send that.",
        )


def _kind(stated: Any) -> str:
    return stated.lower() if isinstance(stated, str) else ""


def _is_id_token(token_type: str, stated: list[str], claims: Mapping[str, Any]) -> bool:
    """Return whether a token is an ID token.

    Nothing in the standards marks one, so the signs are taken in the order of their weight.
    """
    if any(kind in ID_KINDS for kind in stated) or any(name in claims for name in HASH_CLAIMS):
        return True
    access = token_type == ACCESS_TYPE or any(kind in ACCESS_KINDS for kind in stated)
    if access or any(name in claims for name in ACCESS_CLAIMS):
        return False
    return "nonce" in claims or _is_for_its_client(claims)


def _is_for_its_client(claims: Mapping[str, Any]) -> bool:
    """Return whether the audience is the client that the token was issued to."""
    client = claims.get("azp")
    audience = claims.get("aud")
    names = audience if isinstance(audience, list) else [audience]
    return client is not None and client in names
