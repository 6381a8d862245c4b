"""An authenticator that trusts a test issuer."""

from typing import Any

import pytest

from chalicelib.adapters.oidc.authenticator import OidcAuthenticator
from chalicelib.bootstrap import container
from chalicelib.security.identity import Principal
from chalicelib.shared.errors import AetherLinkError, Unauthenticated
from tests.conftest import Compose
from tests.fakes.clock import FakeClock
from tests.issuer import Issuer

REFRESH_SECONDS = 30.0
MAX_AGE_SECONDS = 3_600.0
"""The defaults of OIDC_KEYS_REFRESH_SECONDS and OIDC_KEYS_MAX_AGE_SECONDS."""


class SignIn:
    """Sign-in with an issuer, at a time that the test sets."""

    def __init__(self, issuer: Issuer, compose: Compose) -> None:
        self.issuer = issuer
        self.clock = FakeClock()
        self._compose = compose
        self.configure()

    def configure(self, **oidc: Any) -> None:
        self._compose(self.issuer.settings(oidc=oidc), self.clock)
        self.authenticator = container().access.authenticator
        assert isinstance(self.authenticator, OidcAuthenticator)

    def __call__(self, token: str, **headers: str) -> Principal:
        return self.authenticator.authenticate({"authorization": f"Bearer {token}", **headers})

    def refuses(
        self,
        token: str,
        kind: type[AetherLinkError] = Unauthenticated,
        code: str | None = None,
    ) -> None:
        with pytest.raises(kind) as refused:
            self(token)
        assert token[:40] not in refused.value.detail
        if kind is Unauthenticated:
            assert refused.value.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
        assert code is None or refused.value.code == code, refused.value.code
