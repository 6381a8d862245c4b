"""Fixtures: an issuer over real HTTP, and sign-in with it."""

from collections.abc import Iterator

import pytest

from tests.conftest import Compose
from tests.integration.oidc.sign_in import SignIn
from tests.issuer import Issuer, running


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with running() as issuer:
        yield issuer


@pytest.fixture
def sign_in(issuer: Issuer, composed: Compose) -> SignIn:
    return SignIn(issuer, composed)
