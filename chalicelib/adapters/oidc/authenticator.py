"""From a bearer token to a `Principal`: the signature, the claims, the tenant, the roles.

The checks follow RFC 8725 (JSON Web Token Best Current Practices). The key comes only from
the issuer's key set, by the token's `kid`.
"""

import re
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

import jwt

from chalicelib.adapters.oidc import strict_json
from chalicelib.adapters.oidc.keys import IssuerKeys
from chalicelib.adapters.oidc.kind import check_kind
from chalicelib.adapters.oidc.token import WHITESPACE, BearerToken, bearer_token, refused
from chalicelib.config.oidc import OidcSettings
from chalicelib.security.identity import Principal, Role
from chalicelib.shared.errors import Forbidden, Unauthenticated

UUID_TEXT: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
MAX_SUBJECT_LENGTH: Final = 255
ROLE_SEPARATORS: Final = re.compile(r"[ ,]+")
TIMES: Final = ("exp", "nbf", "iat")
SIGN_IN_AGAIN: Final = "Sign in again and send the new token."


class _StrictJwt(jwt.PyJWT):
    """PyJWT with payloads read by `strict_json`."""

    def _decode_payload(self, decoded: dict[str, Any]) -> dict[str, Any]:
        try:
            return strict_json.read_object(decoded["payload"])
        except ValueError as problem:
            raise jwt.DecodeError(str(problem)) from None


class OidcAuthenticator:
    """An `Authenticator` that verifies the tokens of one issuer."""

    def __init__(self, settings: OidcSettings, keys: IssuerKeys, *, accept_id_tokens: bool) -> None:
        """Accept tokens that meet `settings` and are signed with one of `keys`."""
        self._settings = settings
        self._keys = keys
        self._accept_id_tokens = accept_id_tokens
        self._jwt = _StrictJwt()

    def authenticate(self, headers: Mapping[str, str]) -> Principal:
        """Return the caller that the bearer token identifies.

        Raises:
            errors.Unauthenticated: the token is missing or not valid. The detail says what
                to do about it.
            errors.Forbidden: the token is valid, and has no tenant or another one than
                `X-Tenant-Id`.
            errors.Unavailable: the issuer's keys could never be fetched.
        """
        token = bearer_token(headers, self._settings.token_max_bytes)
        claims = self._verified_claims(token)
        check_kind(token.type, claims, accept_id_tokens=self._accept_id_tokens)
        self._check_audience(claims)
        subject = claims["sub"]
        if not (0 < len(subject) <= MAX_SUBJECT_LENGTH and subject.isprintable()):
            raise refused(
                "token-incomplete",
                f"The token's sub must have 1 to {MAX_SUBJECT_LENGTH} printable characters.",
            )
        tenant_id = self._tenant(claims)
        header = headers.get("x-tenant-id")
        if header is not None and _uuid(header.strip(WHITESPACE)) != tenant_id:
            raise Forbidden(
                "X-Tenant-Id is not the token's tenant. Omit the header.",
                code="tenant-mismatch",
            )
        return Principal(subject, tenant_id, roles_of(_claim(claims, self._settings.roles_claim)))

    def _verified_claims(self, token: BearerToken) -> dict[str, Any]:
        """Return the claims of a token whose signature, issuer and times are valid."""
        key = self._keys.find(token.key_id).get(token.algorithm)
        if key is None:
            raise refused(
                "token-untrusted",
                f"The issuer has no such key for {token.algorithm}. {SIGN_IN_AGAIN}",
            )
        try:
            claims = self._jwt.decode(
                token.text,
                key,
                algorithms=[token.algorithm],
                issuer=self._settings.issuer,
                leeway=self._settings.clock_skew_seconds,
                options={
                    "require": ["exp", "iss", "sub"],
                    "verify_aud": False,  # in `_check_audience`: Cognito's access tokens have none
                    "enforce_minimum_key_length": True,
                },
            )
        except jwt.PyJWTError as problem:
            raise _refused_because(problem) from None
        if any(isinstance(claims.get(name, 0), bool | str) for name in TIMES):
            raise refused("token-malformed", "The token's times must be numbers.")
        return claims

    def _check_audience(self, claims: Mapping[str, Any]) -> None:
        audience = claims.get("aud")
        if audience is None and claims.get("token_use") == "access":
            audience = claims.get("client_id")  # Cognito
        names = audience if isinstance(audience, list) else [audience]
        if not any(isinstance(name, str) and name in self._settings.audience for name in names):
            raise refused(
                "token-foreign",
                "The token is for another audience. Request a token for this API.",
            )

    def _tenant(self, claims: Mapping[str, Any]) -> UUID:
        claim = _claim(claims, self._settings.tenant_claim)
        tenant_id = _uuid(claim) if isinstance(claim, str) else None
        if tenant_id is None:
            raise Forbidden(
                f"The token has no tenant: its claim {self._settings.tenant_claim} must be a "
                "UUID. Ask the administrator of your sign-in.",
                code="tenant-missing",
            )
        return tenant_id


def roles_of(claim: Any) -> frozenset[Role]:
    """Return the known roles in a claim: a list of texts, or one text.

    In a text, the space and the comma of ASCII separate the roles. Any other character belongs
    to a name: two roles with a line separator (U+2028) between them are one unknown role.
    """
    names: Any = ()
    if isinstance(claim, str):
        names = ROLE_SEPARATORS.split(claim)
    elif isinstance(claim, list):
        names = claim
    return frozenset(role for role in Role if role.value in names)


def _refused_because(problem: jwt.PyJWTError) -> Unauthenticated:
    """Return the error for a token that PyJWT refuses."""
    match problem:
        case jwt.ExpiredSignatureError():
            return refused("token-expired", f"The token has expired. {SIGN_IN_AGAIN}")
        case jwt.ImmatureSignatureError():
            return refused(
                "token-early", "The token is not valid yet. Check the clocks, and try again."
            )
        case jwt.InvalidSignatureError() | jwt.InvalidKeyError():
            return refused(
                "token-untrusted", f"The token's signature is not valid. {SIGN_IN_AGAIN}"
            )
        case jwt.InvalidIssuerError():
            return refused(
                "token-foreign",
                "The token is from another issuer. Sign in with the issuer of this API.",
            )
        case jwt.MissingRequiredClaimError():
            return refused("token-incomplete", f"The token has no {problem.claim}.")
        case _:
            return refused("token-malformed", f"The token cannot be read. {SIGN_IN_AGAIN}")


def _claim(claims: Mapping[str, Any], name: str) -> Any:
    """Return the claim called `name`, or else the one at the path of its dotted steps, or None."""
    if name in claims:
        return claims[name]
    value: Any = claims
    for step in name.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _uuid(text: str) -> UUID | None:
    return UUID(text) if UUID_TEXT.fullmatch(text) else None
