"""Signing in, held against an issuer of its own over real HTTP: good tokens, hostile ones, and an issuer in trouble."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest
from chalice.test import Client
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import app
from chalicelib.adapters.oidc.authenticator import OidcAuthenticator
from chalicelib.adapters.oidc.keys import FIRST_RETRY_SECONDS
from chalicelib.bootstrap import container
from chalicelib.config import Settings
from chalicelib.security.identity import Principal, Role
from chalicelib.shared.errors import (
    AetherLinkError,
    Forbidden,
    Unauthenticated,
    Unavailable,
)
from tests.conftest import Compose
from tests.fakes.clock import FakeClock
from tests.issuer import (
    AUDIENCE,
    TENANT,
    Issuer,
    ec_key,
    encoded,
    jwk,
    rsa_key,
    running,
    signed,
)

REFRESH = 30.0
MAX_AGE = 3_600.0


class Door:
    """An authenticator at an issuer, with a clock that stands still."""

    def __init__(self, issuer: Issuer, compose: Compose) -> None:
        self.issuer = issuer
        self.clock = FakeClock()
        self._compose = compose
        self.set()

    def set(self, **oidc: Any) -> None:
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


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with running() as made:
        yield made


@pytest.fixture
def door(issuer: Issuer, composed: Compose) -> Door:
    return Door(issuer, composed)


@pytest.mark.parametrize("key", [rsa_key(), ec_key()], ids=["RS256", "ES256"])
def test_a_good_token_proves_who_calls_and_the_issuer_is_asked_once(door: Door, key: Any) -> None:
    for _ in range(50):
        assert door(door.issuer.token(key)) == Principal("ada", TENANT, frozenset({Role.SALES}))
    assert door.issuer.calls == ["/.well-known/openid-configuration", "/keys"]


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer "])
def test_the_scheme_may_be_written_in_any_case(door: Door, scheme: str) -> None:
    assert (
        door.authenticator.authenticate(
            {"authorization": f"{scheme} {door.issuer.token()}"}
        ).subject
        == "ada"
    )


@pytest.mark.parametrize(
    "stated",
    [None, "", "Bearer", "Bearer ", "Basic YTpi", "Token x", "Bearer a b", "Bearer x,y"],
)
def test_without_a_token_there_is_no_way_in(door: Door, stated: str | None) -> None:
    with pytest.raises(Unauthenticated) as refused:
        door.authenticator.authenticate({} if stated is None else {"authorization": stated})
    assert "error=" in refused.value.headers["WWW-Authenticate"]
    assert door.issuer.calls == []


def _public_pem() -> bytes:
    return rsa_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _hmac(issuer: Issuer, secret: bytes, **header: str) -> str:
    head = f"{encoded({'typ': 'JWT', 'alg': 'HS256', 'kid': 'rsa-1', **header})}.{encoded(issuer.claims())}"
    return f"{head}.{encoded(jwt.get_algorithm_by_name('HS256').sign(head.encode(), secret))}"


def _twice(issuer: Issuer, name: str, value: str) -> str:
    payload = json.dumps(issuer.claims())[:-1] + f', "{name}": {value}}}'
    return signed({"alg": "RS256", "kid": "rsa-1"}, payload.encode(), rsa_key())


def _far(seconds: int) -> int:
    return int(time.time()) + seconds


HOSTILE: dict[str, tuple[str, Callable[[Issuer], str]]] = {
    "no algorithm": (
        "token-untrusted",
        lambda i: f"{encoded({'alg': 'none'})}.{encoded(i.claims())}.AA",
    ),
    "no algorithm, in capitals": (
        "token-untrusted",
        lambda i: f"{encoded({'alg': 'NONE', 'kid': 'rsa-1'})}.{encoded(i.claims())}.AA",
    ),
    "no signature": ("token-malformed", lambda i: i.token().rpartition(".")[0] + "."),
    "two parts": ("token-malformed", lambda i: i.token().rpartition(".")[0]),
    "five parts": ("token-malformed", lambda i: i.token() + ".AA.AA"),
    "HMAC with the public key": ("token-untrusted", lambda i: _hmac(i, _public_pem())),
    "HMAC with the published key": (
        "token-untrusted",
        lambda i: _hmac(i, json.dumps(i.published[0]).encode()),
    ),
    "HMAC called RS256": (
        "token-untrusted",
        lambda i: _hmac(i, _public_pem(), alg="RS256"),
    ),
    "another key under a good name": ("token-untrusted", lambda i: i.token(rsa_key(1))),
    "an unknown key": ("token-untrusted", lambda i: i.token(header={"kid": "rsa-9"})),
    "no key named": ("token-untrusted", lambda i: i.token(header={"kid": None})),
    "a key named by a number": ("token-untrusted", lambda i: i.token(header={"kid": 1})),
    "a key named by a list": (
        "token-untrusted",
        lambda i: i.token(header={"kid": ["rsa-1"]}),
    ),
    "a path for a key": (
        "token-untrusted",
        lambda i: i.token(header={"kid": "../../../../dev/null"}),
    ),
    "SQL for a key": (
        "token-untrusted",
        lambda i: i.token(header={"kid": "x' UNION SELECT 'key'--"}),
    ),
    "a key inside": (
        "token-untrusted",
        lambda i: i.token(rsa_key(1), {"jwk": jwk(rsa_key(1), "rsa-1")}),
    ),
    "a key inside, under its name": (
        "token-untrusted",
        lambda i: i.token(rsa_key(1), {"kid": "mine", "jwk": jwk(rsa_key(1), "mine")}),
    ),
    "keys elsewhere": (
        "token-untrusted",
        lambda i: i.token(rsa_key(1), {"jku": f"{i.url}/theirs", "kid": "mine"}),
    ),
    "a certificate elsewhere": (
        "token-untrusted",
        lambda i: i.token(rsa_key(1), {"x5u": f"{i.url}/theirs"}),
    ),
    "RSA called ES256": ("token-untrusted", lambda i: i.token(header={"alg": "ES256"})),
    "the wrong type of key": (
        "token-untrusted",
        lambda i: i.token(ec_key(), {"kid": "rsa-1"}),
    ),
    "the wrong type, by name": (
        "token-untrusted",
        lambda i: i.token(rsa_key(), {"kid": "ec-1"}),
    ),
    "RS384": ("token-untrusted", lambda i: i.token(header={"alg": "RS384"})),
    "PS256": ("token-untrusted", lambda i: i.token(header={"alg": "PS256"})),
    "an algorithm that is none": (
        "token-untrusted",
        lambda i: i.token(header={"alg": ["RS256"]}),
    ),
    "a critical extension": (
        "token-malformed",
        lambda i: i.token(header={"crit": ["b64"], "b64": False}),
    ),
    "an unencoded payload": ("token-malformed", lambda i: i.token(header={"b64": False})),
    "another issuer": ("token-foreign", lambda i: i.token(iss="https://evil.example.test")),
    "our issuer with a slash": ("token-foreign", lambda i: i.token(iss=i.url + "/")),
    "issuers": ("token-foreign", lambda i: i.token(iss=[i.url])),
    "no issuer": ("token-incomplete", lambda i: i.token(iss=None)),
    "another audience": ("token-foreign", lambda i: i.token(aud="billing")),
    "other audiences": ("token-foreign", lambda i: i.token(aud=["billing", "mail"])),
    "no audience": ("token-foreign", lambda i: i.token(aud=None)),
    "an audience that is none": ("token-foreign", lambda i: i.token(aud={AUDIENCE: 1})),
    "a client for an audience": (
        "token-foreign",
        lambda i: i.token(aud=None, client_id=AUDIENCE),
    ),
    "expired": ("token-expired", lambda i: i.token(exp=_far(-3_600))),
    "never expires": ("token-incomplete", lambda i: i.token(exp=None)),
    "expires in words": ("token-malformed", lambda i: i.token(exp="tomorrow")),
    "expires in quotes": ("token-malformed", lambda i: i.token(exp=str(_far(60)))),
    "not yet valid": ("token-early", lambda i: i.token(nbf=_far(3_600))),
    "from the future": ("token-early", lambda i: i.token(iat=_far(3_600))),
    "not before infinity": ("token-malformed", lambda i: _twice(i, "nbf", "1e999")),
    "not before NaN": ("token-malformed", lambda i: _twice(i, "nbf", "NaN")),
    "nobody": ("token-incomplete", lambda i: i.token(sub=None)),
    "an empty name": ("token-incomplete", lambda i: i.token(sub="")),
    "a name with NUL": ("token-incomplete", lambda i: i.token(sub="a\x00")),
    "a name that is a number": ("token-malformed", lambda i: i.token(sub=7)),
    "an endless name": ("token-incomplete", lambda i: i.token(sub="a" * 256)),
    "the tenant twice": (
        "token-malformed",
        lambda i: _twice(i, "tenant_id", f'"{uuid4()}"'),
    ),
    "the roles twice": ("token-malformed", lambda i: _twice(i, "roles", '["admin"]')),
    "the algorithm twice": (
        "token-malformed",
        lambda i: signed(b'{"alg": "none", "kid": "rsa-1", "alg": "RS256"}', i.claims(), rsa_key()),
    ),
    "a payload that is a list": (
        "token-malformed",
        lambda _: signed({"alg": "RS256", "kid": "rsa-1"}, [1], rsa_key()),
    ),
    "a payload that is no JSON": (
        "token-malformed",
        lambda _: signed({"alg": "RS256", "kid": "rsa-1"}, b"{" * 3_000, rsa_key()),
    ),
    "a header without end": (
        "token-malformed",
        lambda i: f"{encoded(b'[' * 5_000)}.{encoded(i.claims())}.AA",
    ),
    "huge": ("token-too-large", lambda i: i.token(padding="x" * 100_000)),
    "truncated": ("token-untrusted", lambda i: i.token()[:-10]),
    "of another payload": (
        "token-untrusted",
        lambda i: ".".join(
            (
                i.token().split(".")[0],
                encoded(i.claims(roles=["admin"])),
                i.token(nonce=1).split(".")[2],
            )
        ),
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_token_is_refused_and_the_issuer_is_hardly_asked(door: Door, name: str) -> None:
    code, make = HOSTILE[name]
    door(door.issuer.token())
    asked = len(door.issuer.calls)
    for _ in range(5):
        door.refuses(make(door.issuer), code=code)
    assert len(door.issuer.calls) == asked, "within the interval nobody is asked"
    assert "/theirs" not in door.issuer.calls
    assert door(door.issuer.token()).subject == "ada"


@pytest.mark.parametrize("position", range(0, 600, 37))
def test_one_bit_that_is_changed_breaks_a_token(door: Door, position: int) -> None:
    token = door.issuer.token()
    at = position % len(token)
    other = "A" if token[at] != "A" else "Q"
    door.refuses(token[:at] + other + token[at + 1 :])


@pytest.mark.parametrize(
    "stated",
    [None, "", 7, "0197a3c0", ["x"], {"id": str(TENANT)}, TENANT.hex, f" {TENANT}"],
)
def test_a_token_without_a_tenant_is_not_enough(door: Door, stated: Any) -> None:
    door.refuses(door.issuer.token(tenant_id=stated), Forbidden, "tenant-missing")


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ("admin", {Role.ADMIN}),
        ("sales ops", {Role.SALES, Role.OPS}),
        ("sales, king,ops", {Role.SALES, Role.OPS}),
        (["ops", "king", 7, None, ["admin"]], {Role.OPS}),
        (["Admin"], set()),
        (["sales admin"], set()),
        ("administrator", set()),
        ([], set()),
        ({"admin": True}, set()),
        (True, set()),
        (None, set()),
    ],
)
def test_known_roles_are_taken_and_others_left(
    door: Door, stated: Any, expected: set[Role]
) -> None:
    assert door(door.issuer.token(roles=stated)).roles == expected


def test_a_tenant_that_is_asked_for_must_be_the_token_s(door: Door) -> None:
    token = door.issuer.token()
    assert door(token, **{"x-tenant-id": str(TENANT).upper()}).tenant_id == TENANT
    for other in (str(uuid4()), "", "x", f"{TENANT},{uuid4()}", TENANT.hex):
        with pytest.raises(Forbidden) as refused:
            door(token, **{"x-tenant-id": other})
        assert refused.value.code == "tenant-mismatch"


SHAPES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "Auth0": (
        {
            "tenant_claim": "https://aetherlink/tenant_id",
            "roles_claim": "https://aetherlink/roles",
        },
        {
            "aud": [AUDIENCE, "https://issuer.example.test/userinfo"],
            "https://aetherlink/tenant_id": str(TENANT),
            "https://aetherlink/roles": ["ops"],
            "scope": "openid profile",
        },
    ),
    "Keycloak": (
        {"tenant_claim": "organization.id", "roles_claim": "realm_access.roles"},
        {
            "aud": ["account", AUDIENCE],
            "organization": {"id": str(TENANT)},
            "realm_access": {"roles": ["offline_access", "ops"]},
            "azp": "console",
        },
    ),
    "Cognito, access": (
        {"tenant_claim": "custom:tenant_id", "roles_claim": "cognito:groups"},
        {
            "aud": None,
            "token_use": "access",
            "client_id": AUDIENCE,
            "custom:tenant_id": str(TENANT),
            "cognito:groups": ["ops"],
        },
    ),
    "Cognito, id": (
        {"tenant_claim": "custom:tenant_id", "roles_claim": "cognito:groups"},
        {"token_use": "id", "custom:tenant_id": str(TENANT), "cognito:groups": ["ops"]},
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_tokens_of_well_known_issuers_are_understood(door: Door, shape: str) -> None:
    chosen, claims = SHAPES[shape]
    door.set(**chosen)
    ours = {
        "tenant_id": str(uuid4()),
        "roles": ["admin"],
    }  # what the names would be by default says nothing here
    assert door(door.issuer.token(**{**ours, **claims})) == Principal(
        "ada", TENANT, frozenset({Role.OPS})
    )


def test_clocks_may_differ_by_the_skew_and_no_more(door: Door) -> None:
    door.set(clock_skew_seconds=30)
    assert door(door.issuer.token(exp=_far(-20), nbf=_far(20), iat=_far(20)))
    door.refuses(door.issuer.token(exp=_far(-40)), code="token-expired")
    door.refuses(door.issuer.token(nbf=_far(45)), code="token-early")


def test_new_keys_are_found_by_their_name_and_old_ones_are_forgotten(door: Door) -> None:
    old = door.issuer.token()
    door(old)
    door.issuer.published = [jwk(rsa_key(1), "rsa-2")]
    new = door.issuer.token(rsa_key(1), {"kid": "rsa-2"})
    door.refuses(new, code="token-untrusted")
    door.clock.seconds += REFRESH
    assert door(new).subject == "ada"
    assert door.issuer.key_calls == 2
    door.refuses(old, code="token-untrusted")


def test_unknown_keys_have_the_issuer_asked_at_a_bounded_rate(door: Door) -> None:
    door(door.issuer.token())
    for _ in range(3):
        door.clock.seconds += REFRESH
        for number in range(20):
            door.refuses(door.issuer.token(header={"kid": f"made-up-{number}"}))
    assert door.issuer.key_calls == 4


def test_keys_are_fetched_anew_when_they_are_old_so_that_a_withdrawn_one_stops_working(
    door: Door,
) -> None:
    door(door.issuer.token())
    door.issuer.published = [jwk(ec_key(), "ec-1")]
    door.clock.seconds += MAX_AGE - 1
    door(door.issuer.token())
    door.clock.seconds += 1
    door.refuses(door.issuer.token())
    assert door(door.issuer.token(ec_key())).subject == "ada"


@pytest.mark.parametrize(
    "trouble",
    ["errors", "nonsense", "empty", "huge", "redirects", "slow", "another issuer"],
)
def test_the_last_good_keys_are_used_while_the_issuer_is_in_trouble(
    door: Door, trouble: str
) -> None:
    door.set(timeout_seconds=0.3)
    token = door.issuer.token()
    door(token)
    _trouble(door.issuer, trouble)
    door.clock.seconds += MAX_AGE
    asked = len(door.issuer.calls)
    for _ in range(20):
        assert door(token).subject == "ada"
    assert len(door.issuer.calls) - asked <= 2, "one attempt within the interval"
    assert "/elsewhere" not in door.issuer.calls
    door.refuses(door.issuer.token(header={"kid": "unknown"}))


@pytest.mark.parametrize(
    "trouble",
    ["errors", "nonsense", "empty", "huge", "redirects", "slow", "another issuer"],
)
def test_without_any_keys_callers_are_told_when_to_come_back(door: Door, trouble: str) -> None:
    door.set(timeout_seconds=0.3)
    _trouble(door.issuer, trouble)
    for _ in range(5):
        with pytest.raises(Unavailable) as refused:
            door(door.issuer.token())
        assert (refused.value.code, refused.value.headers["Retry-After"]) == (
            "issuer-unavailable",
            "2",
        )
    assert len(door.issuer.calls) <= 2
    door.issuer.status = 200
    door.issuer.body = None
    door.issuer.metadata = {
        "issuer": door.issuer.url,
        "jwks_uri": f"{door.issuer.url}/keys",
    }
    door.issuer.gate.set()
    door.issuer.published = [jwk(rsa_key(), "rsa-1")]
    door.clock.seconds += FIRST_RETRY_SECONDS
    assert door(door.issuer.token()).subject == "ada"


def _trouble(issuer: Issuer, kind: str) -> None:
    if kind == "errors":
        issuer.status = 500
    elif kind == "nonsense":
        issuer.body = b"<html>"
    elif kind == "empty":
        issuer.published = [{"kty": "oct", "kid": "rsa-1", "k": "c2VjcmV0"}]
    elif kind == "huge":
        issuer.body = b" " * 300_000 + b"{}"
    elif kind == "redirects":
        issuer.status = 302
    elif kind == "slow":
        issuer.gate.clear()
    else:
        issuer.metadata = {
            "issuer": "https://evil.example.test",
            "jwks_uri": f"{issuer.url}/keys",
        }


@pytest.mark.parametrize("up", [True, False])
def test_a_stampede_asks_the_issuer_once(door: Door, up: bool) -> None:
    door.issuer.gate.clear()
    door.issuer.status = 200 if up else 500
    started = threading.Barrier(16, action=lambda: None)
    token = door.issuer.token()

    def call() -> str:
        started.wait()
        try:
            return door(token).subject
        except Unavailable as problem:
            return problem.code

    with ThreadPoolExecutor(16) as pool:
        calls = [pool.submit(call) for _ in range(16)]
        while not door.issuer.calls:
            time.sleep(0.005)
        door.issuer.gate.set()
        said = {one.result() for one in calls}
    assert said == ({"ada"} if up else {"issuer-unavailable"})
    assert door.issuer.calls.count("/.well-known/openid-configuration") == 1
    assert door.issuer.key_calls == (1 if up else 0)


def test_known_keys_are_used_while_another_thread_asks_for_unknown_ones(door: Door) -> None:
    door(door.issuer.token())
    door.clock.seconds += MAX_AGE
    door.issuer.gate.clear()
    asked = len(door.issuer.calls)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(door, door.issuer.token(header={"kid": "unknown"}))
        while len(door.issuer.calls) == asked:
            time.sleep(0.005)
        assert door(door.issuer.token()).subject == "ada"
        door.issuer.gate.set()
        with pytest.raises(Unauthenticated):
            waiting.result()


def test_keys_that_serve_another_purpose_are_left_alone(door: Door) -> None:
    weak = rsa_key(2, 1_024)
    good = rsa_key()
    door.issuer.published = [
        jwk(good, "enc", use="enc"),
        jwk(good, "wrap", key_ops=["wrapKey"]),
        jwk(good, "pss", alg="PS256"),
        jwk(good, "curved", crv=["P-256"]),
        jwk(weak, "weak"),
        {"kty": "RSA", "kid": "broken", "n": "!", "e": []},
        {"kty": ["RSA"], "kid": "typed"},
        {**jwk(good, "nameless"), "kid": None},
        jwk(
            good,
            "good",
            alg="RS256",
            key_ops=["verify"],
            x5u="https://elsewhere.example.test",
        ),
    ]
    for kid in ("enc", "wrap", "pss", "curved", "broken", "typed", "nameless"):
        door.refuses(door.issuer.token(header={"kid": kid}), code="token-untrusted")
    door.refuses(door.issuer.token(weak, {"kid": "weak"}), code="token-untrusted")
    assert door(door.issuer.token(header={"kid": "good"})).subject == "ada"


def test_the_keys_address_may_be_set_by_hand(door: Door) -> None:
    door.issuer.metadata = {}
    door.set(jwks_url=f"{door.issuer.url}/keys")
    assert door(door.issuer.token()).subject == "ada"
    assert door.issuer.calls == ["/keys"]


@pytest.mark.parametrize("uri", ["", "file:///etc/passwd", "ftp://x/keys", 7, None])
def test_metadata_that_leads_astray_is_not_followed(door: Door, uri: Any) -> None:
    door.issuer.metadata["jwks_uri"] = uri
    door.refuses(door.issuer.token(), Unavailable)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
NAMES = st.sampled_from(
    [
        "iss",
        "aud",
        "exp",
        "nbf",
        "iat",
        "sub",
        "jti",
        "tenant_id",
        "roles",
        "token_use",
        "client_id",
    ]
)


@pytest.fixture(scope="module")
def shared() -> Iterator[Issuer]:
    with running() as made:
        yield made


@settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_whatever_comes_is_refused_in_order(
    shared: Issuer, composed: Compose, data: st.DataObject
) -> None:
    door = _garbage_door(shared, composed)
    kind = data.draw(st.sampled_from(["text", "parts", "header", "claims"]))
    if kind == "text":
        token = data.draw(st.text(max_size=200))
    elif kind == "parts":
        token = ".".join(
            encoded(data.draw(st.binary(max_size=80))) for _ in range(data.draw(st.integers(0, 5)))
        )
    elif kind == "header":
        names = st.sampled_from(["alg", "kid", "typ", "crit", "jwk", "cty", "zip"]) | st.text(
            max_size=5
        )
        token = signed(data.draw(st.dictionaries(names, JSON)), shared.claims(), rsa_key())
    else:
        wrong = data.draw(st.dictionaries(NAMES, JSON, min_size=1))
        token = shared.token(None, None, **wrong)
    try:
        found = door.authenticate({"authorization": f"Bearer {token}"})
    except (Unauthenticated, Forbidden):
        return
    assert kind in ("claims", "header")
    assert isinstance(found.tenant_id, UUID)
    assert found.tenant_id == TENANT
    assert found.roles <= {Role.SALES}


_made: dict[str, Any] = {}


def _garbage_door(issuer: Issuer, composed: Compose) -> Any:
    if issuer.url not in _made:
        composed(issuer.settings())
        _made[issuer.url] = container().access.authenticator
    return _made[issuer.url]


def test_the_whole_api_lets_in_who_belongs_and_nobody_else(
    issuer: Issuer, database: Settings, composed: Compose
) -> None:
    chosen = issuer.settings(
        database={"url": database.database.url, "relay_url": database.database.relay_url}
    )
    composed(chosen)
    with Client(app.app, stage_name="local") as client:

        def call(
            method: str, path: str, token: str | None, body: Any = None, **headers: str
        ) -> Any:
            sent = {"Content-Type": "application/json", **headers}
            if token is not None:
                sent["Authorization"] = f"Bearer {token}"
            raw = b"" if body is None else json.dumps(body).encode()
            return client.http.request(method, path, headers=sent, body=raw)

        accounts = "/api/crm/accounts"
        made = call("POST", accounts, issuer.token(), {"name": "Northwind"})
        assert (made.status_code, made.json_body["tenantId"]) == (201, str(TENANT))
        assert call("GET", accounts, issuer.token(roles="ops")).status_code == 200
        assert (
            call(
                "GET",
                f"{accounts}/{made.json_body['id']}",
                issuer.token(tenant_id=str(uuid4())),
            ).status_code
            == 404
        )
        for name, (_, make) in HOSTILE.items():
            answer = call("POST", accounts, make(issuer), {"name": "x"})
            assert answer.status_code == 401, name
            assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
            assert answer.headers["Content-Type"] == "application/problem+json"
        believed = {"X-Roles": "admin", "X-Tenant-Id": str(TENANT)}
        assert call("GET", accounts, None, **believed).status_code == 401, (
            "development's headers prove nothing"
        )
        for token, code in (
            (issuer.token(roles=["ops"]), "role-missing"),
            (issuer.token(roles=["king"]), "role-missing"),
            (issuer.token(roles=None), "role-missing"),
            (issuer.token(tenant_id="7"), "tenant-missing"),
        ):
            answer = call("POST", accounts, token, {"name": "x"})
            assert (answer.status_code, json.loads(answer.body)["code"]) == (403, code)
        foreign = call("GET", accounts, issuer.token(), **{"X-Tenant-Id": str(uuid4())})
        assert (foreign.status_code, json.loads(foreign.body)["code"]) == (
            403,
            "tenant-mismatch",
        )
        assert len(call("GET", accounts, issuer.token()).json_body["items"]) == 1
        assert issuer.key_calls <= 2
        issuer.status = 500
        composed(chosen)
        answer = call("GET", accounts, issuer.token())
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")


def test_readiness_needs_the_issuer_s_keys_and_not_the_issuer(
    issuer: Issuer, database: Settings, composed: Compose
) -> None:
    urls = {"database": {"url": database.database.url, "relay_url": database.database.relay_url}}

    def ready() -> tuple[int, str]:
        answer = client.http.get("/health/ready")
        return answer.status_code, answer.json_body["dependencies"]["issuer"]["status"]

    with Client(app.app, stage_name="local") as client:
        composed(issuer.settings(**urls))
        issuer.status = 500
        assert ready() == (503, "down")
        composed(issuer.settings(**urls))
        issuer.status = 200
        assert ready() == (200, "ok")
        issuer.status = 500
        asked = len(issuer.calls)
        for _ in range(5):
            assert ready() == (200, "ok")
        assert len(issuer.calls) == asked
        composed(database)
        assert "issuer" not in client.http.get("/health/ready").json_body["dependencies"]
