"""Settings of sign-in with OpenID Connect."""

import re
from dataclasses import dataclass

from chalicelib.shared.setting import boolean, number, optional, setting, words

_ADDRESS = re.compile(r"https?://[^\s/?#@]+(/[^\s?#]*)?")


def _url(text: str) -> str:
    """Read an address of the issuer."""
    if text and not _ADDRESS.fullmatch(text):
        raise ValueError("expected an http or https address without query or fragment")
    return text


@dataclass(frozen=True, slots=True)
class OidcSettings:
    """Which issuer's tokens are accepted, and how they are read."""

    enabled: bool = setting(
        "OIDC_ENABLED",
        False,
        "Verify bearer tokens. When false, the headers `X-Roles` and `X-Tenant-Id` are trusted: "
        "stage local only.",
        boolean,
    )

    issuer: str = setting(
        "OIDC_ISSUER",
        "",
        "The OpenID Connect issuer, exactly as in the claim `iss` of its tokens; "
        "its keys are found there.",
        _url,
    )
    audience: tuple[str, ...] = setting(
        "OIDC_AUDIENCE",
        (),
        "Values of the claim `aud` that this API accepts (Cognito's access tokens: `client_id`), "
        "separated by commas.",
        words,
    )
    jwks_url: str = setting(
        "OIDC_JWKS_URL",
        "",
        "Where the issuer's keys are, if not where its metadata says.",
        _url,
    )
    tenant_claim: str = setting(
        "OIDC_TENANT_CLAIM",
        "tenant_id",
        "Claim with the tenant's UUID: a name such as `custom:tenant_id`, "
        "or a path such as `org.id`.",
    )
    roles_claim: str = setting(
        "OIDC_ROLES_CLAIM",
        "roles",
        "Claim with the roles: `cognito:groups`, `realm_access.roles`, "
        "`https://aetherlink/roles` or the like.",
    )
    accept_id_tokens: bool | None = setting(
        "OIDC_ACCEPT_ID_TOKENS",
        None,
        "Accept ID tokens as bearer tokens, as needed where only those have the tenant "
        "(Cognito's custom attributes). Empty: on stage local only.",
        optional(boolean),
    )
    clock_skew_seconds: float = setting(
        "OIDC_CLOCK_SKEW_SECONDS",
        30.0,
        "How far the issuer's clock may differ from ours.",
        number(float, 0, 300),
    )
    token_max_bytes: int = setting(
        "OIDC_TOKEN_MAX_BYTES",
        8_192,
        "Longest token accepted; API Gateway accepts 10,240 bytes of headers in all.",
        number(int, 1_000, 10_240),
    )
    keys_max_age_seconds: float = setting(
        "OIDC_KEYS_MAX_AGE_SECONDS",
        3_600.0,
        "How long the issuer's keys are used before they are fetched again.",
        number(float, 10, 86_400),
    )
    keys_refresh_seconds: float = setting(
        "OIDC_KEYS_REFRESH_SECONDS",
        30.0,
        "Shortest time between two fetches of the keys, whatever tokens arrive.",
        number(float, 0.1, 3_600),
    )
    keys_max_bytes: int = setting(
        "OIDC_KEYS_MAX_BYTES",
        256_000,
        "Largest answer of the issuer that is read.",
        number(int, 1_000, 10_000_000),
    )
    timeout_seconds: float = setting(
        "OIDC_TIMEOUT_SECONDS",
        2.0,
        "Longest wait for the issuer's metadata and keys together.",
        number(float, 0.1, 10),
    )

    def id_tokens_accepted(self, stage: str) -> bool:
        """Return whether an ID token counts as a bearer token on `stage`."""
        if self.accept_id_tokens is None:
            return stage == "local"
        return self.accept_id_tokens

    def problem(self, stage: str) -> str:
        """Return why callers could not be identified on `stage`, or an empty text."""
        if not self.enabled:
            if stage == "local":
                return ""
            return (
                f"OIDC_ENABLED is false on stage {stage}: development sign-in is for stage local "
                "only. Set OIDC_ENABLED=true."
            )
        needed = {"OIDC_ISSUER": self.issuer, "OIDC_AUDIENCE": self.audience}
        missing = " and ".join(name for name, value in needed.items() if not value)
        if missing:
            return f"OIDC_ENABLED is true and {missing} not set. Set OIDC_ISSUER and OIDC_AUDIENCE."
        urls = [url for url in (self.issuer, self.jwks_url) if url]
        if stage != "local" and not all(url.startswith("https://") for url in urls):
            return f"OIDC_ISSUER and OIDC_JWKS_URL must be https on stage {stage}."
        return ""
