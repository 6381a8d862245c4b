"""From a bearer token to a `Principal`: the signature, the claims, the tenant, the roles.

What is checked and why follows RFC 8725 (JSON Web Token Best Current Practices). The key
comes from the issuer's set alone, by the token's `kid`: keys and addresses inside the token
(`jwk`, `jku`, `x5u`, `x5c`) are never looked at.
"""

import re
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

import jwt

from chalicelib.adapters.oidc import strict_json
from chalicelib.adapters.oidc.keys import ALGORITHMS, IssuerKeys
from chalicelib.config.oidc import OidcSettings
from chalicelib.security.identity import Principal, Role
from chalicelib.shared.errors import Forbidden, Unauthenticated

SCHEME: Final = re.compile(r"bearer +", re.IGNORECASE)
COMPACT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
UUID_TEXT: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
LONGEST_NAME: Final = 255
ACCEPTED: Final = tuple(ALGORITHMS.values())
NEW_TOKEN: Final = "Sign in again and send the new token."


class _StrictJwt(jwt.PyJWT):
    """PyJWT that reads payloads as `strict_json` does."""

    def _decode_payload(self, decoded: dict[str, Any]) -> dict[str, Any]:
        try:
            return strict_json.read_object(decoded["payload"])
        except ValueError as problem:
            raise jwt.DecodeError(str(problem)) from None


class OidcAuthenticator:
    """An `Authenticator` on the tokens of one issuer."""

    def __init__(self, settings: OidcSettings, keys: IssuerKeys) -> None:
        """Accept tokens that meet `terms` and are signed with one of `keys`."""
        self._settings = settings
        self._keys = keys
        self._jwt = _StrictJwt()

    def authenticate(self, headers: Mapping[str, str]) -> Principal:
        """Return the caller that the bearer token proves.

        Raises:
            errors.Unauthenticated: no token, or one that does not hold; the text says what
            to do about it.
            errors.Forbidden: a good token without a tenant, or with another one than
            `X-Tenant-Id`.
            errors.Unavailable: the issuer's keys were never to be had.
        """
        claims = self._verified(_bearer(headers, self._settings.token_max_bytes))
        self._check_audience(claims)
        subject = claims["sub"]
        if not (0 < len(subject) <= LONGEST_NAME and subject.isprintable()):
            raise _refused(
                "token-incomplete",
                f"The token's sub must be 1 to {LONGEST_NAME} printable characters.",
            )
        tenant_id = self._tenant(claims)
        asked = headers.get("x-tenant-id")
        if asked is not None and _uuid(asked.strip()) != tenant_id:
            raise Forbidden(
                "X-Tenant-Id is not the token's tenant. Leave it out.",
                code="tenant-mismatch",
            )
        return Principal(subject, tenant_id, roles_of(_claim(claims, self._settings.roles_claim)))

    def _verified(self, token: str) -> dict[str, Any]:
        """Return the claims of `token`, whose signature, issuer and times hold."""
        key_id, algorithm = _header(token)
        key = self._keys.find(key_id).get(algorithm)
        if key is None:
            raise _refused(
                "token-untrusted",
                f"The issuer publishes no such key for {algorithm}. {NEW_TOKEN}",
            )
        try:
            claims = self._jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                issuer=self._settings.issuer,
                leeway=self._settings.clock_skew_seconds,
                options={
                    "require": ["exp", "iss", "sub"],
                    "verify_aud": False,  # below: Cognito's access tokens have none
                    "enforce_minimum_key_length": True,
                },
            )
        except jwt.ExpiredSignatureError:
            raise _refused("token-expired", f"The token has expired. {NEW_TOKEN}") from None
        except jwt.ImmatureSignatureError:
            raise _refused(
                "token-early",
                "The token is not valid yet. Try again, and check the clocks.",
            ) from None
        except (jwt.InvalidSignatureError, jwt.InvalidKeyError):
            raise _refused(
                "token-untrusted", f"The token's signature does not hold. {NEW_TOKEN}"
            ) from None
        except jwt.InvalidIssuerError:
            raise _refused(
                "token-foreign",
                "The token is another issuer's. Sign in where this API says.",
            ) from None
        except jwt.MissingRequiredClaimError as missing:
            raise _refused("token-incomplete", f"The token has no {missing.claim}.") from None
        except jwt.PyJWTError:
            raise _refused(
                "token-malformed", f"The token cannot be read: it is damaged. {NEW_TOKEN}"
            ) from None
        if any(isinstance(claims.get(name, 0), bool | str) for name in ("exp", "nbf", "iat")):
            raise _refused("token-malformed", "The token's times must be numbers.")
        return claims

    def _check_audience(self, claims: Mapping[str, Any]) -> None:
        stated = claims.get("aud")
        if stated is None and claims.get("token_use") == "access":
            stated = claims.get("client_id")  # Cognito
        named = stated if isinstance(stated, list) else [stated]
        if not any(isinstance(one, str) and one in self._settings.audience for one in named):
            raise _refused(
                "token-foreign",
                "The token is for another audience. Ask your issuer for one for this API.",
            )

    def _tenant(self, claims: Mapping[str, Any]) -> UUID:
        stated = _claim(claims, self._settings.tenant_claim)
        tenant_id = _uuid(stated) if isinstance(stated, str) else None
        if tenant_id is None:
            raise Forbidden(
                f"The token names no tenant: its claim {self._settings.tenant_claim} must be a UUID. "
                "Ask whoever runs your sign-in.",
                code="tenant-missing",
            )
        return tenant_id


def roles_of(stated: Any) -> frozenset[Role]:
    """Return the roles among `stated`: a list of texts, or a text with them apart by spaces or commas."""
    words = (
        re.split(r"[\s,]+", stated)
        if isinstance(stated, str)
        else stated
        if isinstance(stated, list)
        else ()
    )
    return frozenset(role for role in Role if role.value in words)


def _bearer(headers: Mapping[str, str], max_bytes: int) -> str:
    stated = headers.get("authorization", "").strip()
    scheme = SCHEME.match(stated)
    if scheme is None:
        raise _refused("unauthenticated", "Send the header Authorization: Bearer <token>.")
    token = stated[scheme.end() :]
    if len(token) > max_bytes:
        raise _refused(
            "token-too-large",
            f"The token has {len(token)} characters; at most {max_bytes} are taken.",
        )
    if not COMPACT.fullmatch(token):
        raise _refused(
            "token-malformed",
            "The token is no signed JSON Web Token: three parts with dots between.",
        )
    return token


def _header(token: str) -> tuple[str, str]:
    """Return the key id and the algorithm that `token` states."""
    try:
        header = strict_json.read_object(jwt.utils.base64url_decode(token.partition(".")[0]))
    except ValueError:
        raise _refused("token-malformed", "The token's header cannot be read.") from None
    key_id = header.get("kid")
    algorithm = header.get("alg")
    if algorithm not in ACCEPTED:
        raise _refused("token-untrusted", f"The token must be signed with {' or '.join(ACCEPTED)}.")
    if not isinstance(key_id, str):
        raise _refused("token-untrusted", "The token's header must name its key (kid).")
    if "crit" in header or "b64" in header:
        raise _refused(
            "token-malformed",
            "The token's header asks for extensions that are not known here.",
        )
    return key_id, str(algorithm)


def _claim(claims: Mapping[str, Any], name: str) -> Any:
    """Return the claim called `name`, or else the one at that path, its steps apart by dots; None where neither is."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for step in name.split("."):
        found = found.get(step) if isinstance(found, dict) else None
    return found


def _uuid(text: str) -> UUID | None:
    return UUID(text) if UUID_TEXT.fullmatch(text) else None


def _refused(code: str, detail: str) -> Unauthenticated:
    return Unauthenticated(
        detail, code=code, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'}
    )
