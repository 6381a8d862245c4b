"""The API in one process, on a real PostgreSQL: what callers get for what they send."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from chalice.test import Client, HTTPResponse

import app
from chalicelib.bootstrap import container
from chalicelib.config import Settings
from chalicelib.entrypoints.methods import METHODS
from chalicelib.security.rate_limit import RateLimitPolicy, TenantRate
from infra.local.ports import free_port
from infra.local.postgres import Postgres
from tests.conftest import Compose
from tests.fakes.clock import FakeClock
from tests.fakes.counters import FakeCounters
from tests.fakes.meter import FakeMeter


class Api:
    """A caller of the API, as one tenant with some roles."""

    def __init__(self, client: Client, tenant: UUID, roles: str = "sales") -> None:
        self.client = client
        self.tenant = tenant
        self.roles = roles

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
    ) -> HTTPResponse:
        raw = (
            body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        )
        fixed = {
            "X-Tenant-Id": str(self.tenant),
            "X-Roles": self.roles,
            "Content-Type": "application/json",
        }
        return self.client.http.request(
            method, path, headers={**fixed, **(headers or {})}, body=raw
        )

    def make(self, collection: str, **body: Any) -> dict[str, Any]:
        answer = self("POST", f"/api/crm/{collection}", body)
        assert answer.status_code == 201, answer.body
        return dict(answer.json_body)


@pytest.fixture
def api(database: Settings, composed: Compose, tenant: UUID) -> Iterator[Api]:
    composed(database)
    with Client(app.app, stage_name="local") as client:
        yield Api(client, tenant)


def _problem(
    answer: HTTPResponse, status: int, code: str, field: str | None = None
) -> dict[str, Any]:
    body = dict(json.loads(answer.body))
    assert (answer.status_code, body["status"], body["code"]) == (status, status, code), body
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert {"type", "title", "detail", "instance", "requestId", "errors"} <= set(body)
    assert "Traceback" not in answer.body.decode()
    if field is not None:
        assert field in [error["field"] for error in body["errors"]]
    return body


def test_everything_can_be_created_read_changed_moved_listed_and_deleted(api: Api) -> None:
    account = api.make("accounts", name="Northwind", website="https://northwind.test")
    contact = api.make("contacts", name="Ada", email="ada@northwind.test", accountId=account["id"])
    made = api(
        "POST",
        "/api/crm/jobs",
        {"accountId": account["id"], "contactId": contact["id"], "title": "Meter"},
    )
    job = made.json_body
    assert made.headers["Location"].endswith(f"/api/crm/jobs/{job['id']}")
    assert (made.headers["ETag"], job["version"], job["status"], job["currency"]) == (
        '"1"',
        1,
        "Open",
        "USD",
    )
    assert set(job) == {
        "id", "tenantId", "version", "createdAt", "updatedAt", "accountId", "contactId", "title", "description",
        "status", "scheduledFor", "amountCents", "currency",
    }  # fmt: skip
    path = f"/api/crm/jobs/{job['id']}"
    assert api("GET", path).json_body == job
    patched = api("PATCH", path, {"amountCents": 5}, headers={"If-Match": '"1"'})
    assert (patched.json_body["amountCents"], patched.headers["ETag"]) == (5, '"2"')
    assert api("POST", f"{path}/status", {"status": "Scheduled"}).json_body["version"] == 3
    assert [
        one["id"] for one in api("GET", "/api/crm/jobs?status=Scheduled").json_body["items"]
    ] == [job["id"]]
    assert api("DELETE", path).status_code == 204
    _problem(api("GET", path), 404, "not-found")


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        (b"{", "invalid-json", None),
        (b"", "invalid-json", None),
        (b"null", "validation-failed", "(body)"),
        (b'{"name": 7}', "validation-failed", "name"),
        (b'{"name": "x", "colour": 1}', "validation-failed", "colour"),
        (b'{"name": "a\\u0000b"}', "validation-failed", "name"),
        (b'{"name": "' + b"a" * 201 + b'"}', "validation-failed", "name"),
        (b'{"name": "\xff"}', "invalid-json", None),
        (b"[" * 100_000, "invalid-json", None),
    ],
)
def test_a_bad_body_is_refused_and_the_field_is_named(
    api: Api, body: bytes, code: str, field: str | None
) -> None:
    _problem(api("POST", "/api/crm/accounts", body), 400, code, field)


def test_two_megabytes_are_too_large(api: Api) -> None:
    _problem(
        api("POST", "/api/crm/accounts", b'{"name":"' + b"a" * 2_000_000 + b'"}'),
        413,
        "payload-too-large",
    )


def test_another_media_type_is_refused(api: Api) -> None:
    answer = api("POST", "/api/crm/accounts", b"<a/>", headers={"Content-Type": "text/xml"})
    _problem(answer, 415, "unsupported-media-type")


@pytest.mark.parametrize(
    "wrong", ["7", "not-a-uuid", "0197a3c0-5f3e-7cc4-9d0a-2b8b6f0f1e1", "{0197a3c0}", "%00"]
)
def test_a_bad_id_is_refused(api: Api, wrong: str) -> None:
    _problem(api("GET", f"/api/crm/jobs/{wrong}"), 400, "bad-id", "id")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=1e1", "limit"),
        ("sort=name", "sort"),
        ("status=Gone", "status"),
        ("accountId=7", "accountId"),
        ("colour=red", "colour"),
        ("cursor=abc", "cursor"),
        ("q=", "q"),
    ],
)
def test_a_bad_parameter_is_refused_and_named(api: Api, query: str, field: str) -> None:
    assert field in [
        error["field"] for error in json.loads(api("GET", f"/api/crm/jobs?{query}").body)["errors"]
    ]


def test_a_row_of_another_tenant_does_not_exist(api: Api) -> None:
    account = api.make("accounts", name="Northwind")
    stranger = Api(api.client, uuid4())
    path = f"/api/crm/accounts/{account['id']}"
    _problem(stranger("GET", path), 404, "not-found")
    _problem(stranger("PATCH", path, {"name": "x"}, headers={"If-Match": "*"}), 404, "not-found")
    _problem(stranger("DELETE", path), 404, "not-found")
    assert stranger("GET", "/api/crm/accounts").json_body == {
        "items": [],
        "nextCursor": None,
    }


def test_pages_follow_each_other_and_a_cursor_is_bound_to_tenant_and_filter(
    api: Api,
) -> None:
    names = [api.make("accounts", name=f"A{number}")["name"] for number in range(5)]
    first = api("GET", "/api/crm/accounts?limit=3").json_body
    second = api("GET", f"/api/crm/accounts?limit=3&cursor={first['nextCursor']}").json_body
    assert [one["name"] for one in first["items"] + second["items"]] == names
    assert second["nextCursor"] is None
    _problem(
        api("GET", f"/api/crm/accounts?q=A&cursor={first['nextCursor']}"),
        400,
        "bad-cursor",
        "cursor",
    )
    stranger = Api(api.client, uuid4())
    _problem(
        stranger("GET", f"/api/crm/accounts?limit=3&cursor={first['nextCursor']}"),
        400,
        "bad-cursor",
        "cursor",
    )


def test_a_change_needs_the_version_that_was_read(api: Api) -> None:
    path = f"/api/crm/accounts/{api.make('accounts', name='A')['id']}"
    _problem(api("PATCH", path, {"name": "B"}), 428, "precondition-required")
    _problem(api("PATCH", path, {"name": "B"}, headers={"If-Match": '"7"'}), 412, "stale-version")
    for nonsense in ("seven", "", '"1", "2"', "7"):
        _problem(
            api("PATCH", path, {"name": "B"}, headers={"If-Match": nonsense}),
            400,
            "bad-etag",
            "If-Match",
        )
    merge = {"If-Match": '"1"', "Content-Type": "application/merge-patch+json"}
    assert api("PATCH", path, {"name": "B"}, headers=merge).json_body["version"] == 2
    _problem(api("DELETE", path, headers={"If-Match": '"1"'}), 412, "stale-version")


def test_rules_of_the_business_are_told(api: Api) -> None:
    account = api.make("accounts", name="A")
    job = api.make("jobs", accountId=account["id"], title="x")
    _problem(api("DELETE", f"/api/crm/accounts/{account['id']}"), 409, "account-has-jobs")
    moved = api("POST", f"/api/crm/jobs/{job['id']}/status", {"status": "Completed"})
    assert _problem(moved, 409, "illegal-status-change")["allowed"] == [
        "Scheduled",
        "Cancelled",
    ]
    _problem(
        api("POST", "/api/crm/jobs", {"accountId": str(uuid4()), "title": "x"}),
        422,
        "unknown-reference",
        "accountId",
    )
    api.make("contacts", name="Ada", email="ada@x.test")
    _problem(
        api("POST", "/api/crm/contacts", {"name": "E", "email": "ADA@x.test"}),
        409,
        "already-taken",
        "email",
    )


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"X-Tenant-Id": ""}, 401, "unauthenticated"),
        ({"X-Tenant-Id": "7"}, 401, "unauthenticated"),
        ({"X-Roles": ""}, 401, "unauthenticated"),
        ({"X-Roles": "king"}, 401, "unauthenticated"),
        ({"X-Roles": "ops"}, 403, "role-missing"),
    ],
)
def test_callers_without_a_name_or_a_role_are_refused(
    api: Api, headers: dict[str, str], status: int, code: str
) -> None:
    answer = api("POST", "/api/crm/accounts", {"name": "x"}, headers=headers)
    _problem(answer, status, code)
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)


def test_ops_may_read(api: Api) -> None:
    assert Api(api.client, api.tenant, "ops")("GET", "/api/crm/accounts").status_code == 200


def test_every_answer_has_a_request_id_and_security_headers(api: Api) -> None:
    for path in ("/", "/api/crm/accounts", "/api/crm/accounts/7"):
        answer = api("GET", path, headers={"X-Request-Id": "my-request-42"})
        assert answer.headers["X-Request-Id"] == "my-request-42"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
    assert api("GET", "/", headers={"X-Request-Id": "a b\t"}).headers["X-Request-Id"] != "a b\t"


def test_the_trace_goes_with_the_events(api: Api, postgres: Postgres) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    answer = api("POST", "/api/crm/accounts", {"name": "x"}, headers={"traceparent": trace})
    assert answer.status_code == 201
    with postgres.connect() as connection:
        assert connection.execute_simple(
            "SELECT headers->>'traceparent' FROM outbox_event"
        ).rows == [[trace]]


def test_a_database_that_is_away_is_a_503_that_says_when_to_come_back(
    api: Api, database: Settings, composed: Compose
) -> None:
    gone = database.changed(database={"url": f"postgresql://a:s3cr3t@127.0.0.1:{free_port()}/x"})
    composed(gone)
    answer = api("POST", "/api/crm/accounts", {"name": "x"})
    _problem(answer, 503, "database-unavailable")
    assert answer.headers["Retry-After"]
    assert b"s3cr3t" not in answer.body
    ready = api("GET", "/health/ready")
    assert (ready.status_code, ready.json_body["dependencies"]["postgres"]["status"]) == (
        503,
        "down",
    )
    assert api("GET", "/health/live").status_code == 200


def test_a_tenant_that_sends_too_much_is_told_when_to_come_back_and_others_are_served(
    api: Api,
) -> None:
    rate = TenantRate(
        FakeCounters(), FakeClock(), FakeMeter(), RateLimitPolicy(per_second=1, burst=2)
    )
    container().access.tenant_rate = rate
    assert [api("GET", "/api/crm/accounts").status_code for _ in range(2)] == [200, 200]
    refused = api("GET", "/api/crm/accounts")
    _problem(refused, 429, "rate-limited")
    assert refused.headers["Retry-After"] == "2"
    assert api("GET", "/health/live").status_code == 200
    api.tenant = uuid4()
    assert api("GET", "/api/crm/accounts").status_code == 200


def test_a_crash_is_a_500_without_a_stack_trace(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError("s3cr3t")

    monkeypatch.setattr(container().crm, "unit_of_work", crash)
    answer = api("GET", "/api/crm/accounts")
    _problem(answer, 500, "internal-error")
    assert b"s3cr3t" not in answer.body


def test_home_tells_what_is_switched_on(api: Api) -> None:
    assert api("GET", "/").json_body["status"] == "ok"
    ready = api("GET", "/health/ready").json_body
    assert ready["dependencies"]["postgres"]["latencyMs"] > 0


def test_the_document_is_served_and_the_page_loads_nothing_from_elsewhere(api: Api) -> None:
    assert api("GET", "/openapi.json").json_body["openapi"] == "3.1.0"
    page = api("GET", "/docs")
    assert page.headers["Content-Type"].startswith("text/html")
    assert "style-src 'sha256-" in page.headers["Content-Security-Policy"]
    text = page.body.decode()
    assert "/api/crm/jobs/{id}/status" in text
    assert "http://" not in text.replace("http://127", "")
    assert "src=" not in text


def test_a_write_is_done_once_for_its_key(api: Api) -> None:
    key = {"Idempotency-Key": "order-42"}
    first = api("POST", "/api/crm/accounts", {"name": "Once"}, headers=key)
    again = api("POST", "/api/crm/accounts", {"name": "Once"}, headers=key)
    assert (again.body, again.status_code) == (first.body, 201)
    assert (
        first.headers.get("Idempotent-Replayed"),
        again.headers["Idempotent-Replayed"],
    ) == (None, "true")
    assert {again.headers[name] for name in ("ETag", "Location")} == {
        first.headers[n] for n in ("ETag", "Location")
    }
    assert len(api("GET", "/api/crm/accounts").json_body["items"]) == 1
    _problem(
        api("POST", "/api/crm/accounts", {"name": "Twice"}, headers=key),
        422,
        "idempotency-key-reused",
    )
    _problem(
        api("POST", "/api/crm/accounts", {"name": "x"}, headers={"Idempotency-Key": ""}),
        400,
        "bad-idempotency-key",
    )
    path = f"/api/crm/accounts/{first.json_body['id']}"
    for method, body, match in (("PATCH", {"name": "B"}, '"1"'), ("DELETE", None, '"2"')):
        headers = {"Idempotency-Key": method, "If-Match": match}
        done, repeated = (api(method, path, body, headers=headers) for _ in range(2))
        assert (done.status_code, done.body) == (repeated.status_code, repeated.body)
        assert repeated.headers["Idempotent-Replayed"] == "true"


def test_creates_may_be_made_to_need_a_key(api: Api, database: Settings, composed: Compose) -> None:
    composed(database.changed(idempotency={"required": True}))
    _problem(api("POST", "/api/crm/accounts", {"name": "x"}), 400, "idempotency-key-missing")
    made = api("POST", "/api/crm/accounts", {"name": "x"}, headers={"Idempotency-Key": "k"})
    assert made.status_code == 201
    match = {"If-Match": '"1"'}
    assert (
        api(
            "PATCH",
            f"/api/crm/accounts/{made.json_body['id']}",
            {"name": "y"},
            headers=match,
        ).status_code
        == 200
    )


def test_a_path_names_its_methods_and_refuses_the_rest(api: Api) -> None:
    refused = api("PUT", "/api/crm/jobs")
    _problem(refused, 405, "method-not-allowed")
    assert refused.headers["Allow"] == "GET, OPTIONS, POST"
    for path, methods in app.app.routes.items():
        assert set(methods) == METHODS, path
        answer = api("OPTIONS", path.replace("{id}", str(uuid4())).replace("{key}", "k"))
        assert (answer.status_code, answer.body) == (204, b"")
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_pages_of_other_origins_read_answers_only_where_the_origin_is_named(
    api: Api, database: Settings, composed: Compose
) -> None:
    ours = {"Origin": "https://crm.example.test"}
    theirs = {"Origin": "https://evil.example.test"}
    assert "Access-Control-Allow-Origin" not in api("GET", "/", headers=ours).headers
    composed(database.changed(http={"cors_allowed_origins": ("https://crm.example.test",)}))
    asked = api(
        "OPTIONS",
        "/api/crm/jobs",
        headers={**ours, "Access-Control-Request-Method": "POST"},
    )
    assert asked.headers["Access-Control-Allow-Origin"] == ours["Origin"]
    assert "POST" in asked.headers["Access-Control-Allow-Methods"]
    assert "Idempotency-Key" in asked.headers["Access-Control-Allow-Headers"]
    missing = api("GET", f"/api/crm/jobs/{uuid4()}", headers=ours)
    assert (missing.status_code, missing.headers["Access-Control-Allow-Origin"]) == (
        404,
        ours["Origin"],
    )
    assert (
        missing.headers["Vary"],
        "ETag" in missing.headers["Access-Control-Expose-Headers"],
    ) == ("Origin", True)
    for path in ("/", "/api/crm/jobs"):
        for method in ("GET", "OPTIONS"):
            refused = api(method, path, headers=theirs)
            assert not [name for name in refused.headers if name.startswith("Access-Control")]
            assert refused.headers["Vary"] == "Origin"


def test_a_number_is_an_integer_by_its_value(api: Api) -> None:
    account = api.make("accounts", name="Northwind")["id"]
    assert api.make("jobs", accountId=account, title="x", amountCents=12.0)["amountCents"] == 12
    for wrong in (12.5, -1, 2**53, "12", True):
        body = {"accountId": account, "title": "x", "amountCents": wrong}
        _problem(api("POST", "/api/crm/jobs", body), 400, "validation-failed", "amountCents")


def test_what_was_stored_under_older_rules_can_still_be_read(api: Api, postgres: Postgres) -> None:
    account = api.make("accounts", name="Northwind")
    with postgres.connect() as connection:
        connection.execute_unnamed("UPDATE account SET website = $1", ("gopher://\x1e",))
    assert api("GET", f"/api/crm/accounts/{account['id']}").json_body["website"] == "gopher://\x1e"
    assert len(api("GET", "/api/crm/accounts").json_body["items"]) == 1
    changed = api(
        "PATCH",
        f"/api/crm/accounts/{account['id']}",
        {"phone": "1"},
        headers={"If-Match": "*"},
    )
    assert changed.status_code == 200
