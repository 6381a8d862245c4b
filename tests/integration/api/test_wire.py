"""Bodies are read as they were sent, by the names that the contract states, or refused."""

import json
from uuid import uuid4

import pytest

from infra.local.postgres import Postgres
from tests.integration.api import gateway
from tests.integration.api.client import Api, problem

ACCOUNTS = "/api/crm/accounts"
NOTORIOUS_BODIES = (
    b"",
    b" ",
    b"\x00",
    b"{",
    b"[",
    b'{"name"',
    b'{"name":}',
    b'{"name":"x",}',
    b'{"name":"x"}x',
    b'{"name":"x"}{"name":"y"}',
    b"{'name':'x'}",
    b'{name:"x"}',
    b'{"name":"x" /* */}',
    b'{"name":NaN}',
    b'{"name":-Infinity}',
    b'{"name":+1}',
    b'{"name":01}',
    b'{"name":1.}',
    b'{"name":.5}',
    b'{"name":0x1}',
    b'{"name":1e9999}',
    b'{"name":-1e-9999}',
    b'{"name":' + b"9" * 5_000 + b"}",
    b'{"name":"\\ud800"}',
    b'{"name":"\\udc00\\ud800"}',
    b'{"name":"\\uD83D"}',
    b'{"name":"\\x41"}',
    b'{"name":"\\u12"}',
    b'{"name":"a\nb"}',
    b'{"name":"\xed\xa0\x80"}',
    b'{"name":"\xc0\xaf"}',
    b'{"name":"\xf4\x90\x80\x80"}',
    b'{"name":"\xe4"}',
    b'\xef\xbb\xbf{"name":"x"}',
    '{"name":"x"}'.encode("utf-16"),
    '{"name":"x"}'.encode("utf-32-be"),
    b'{"name":"x","name":"y"}',
    b'{"name":"x","n\\u0061me":"y"}',
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b"[" * 500 + b"]" * 500,
    b"null",
    b"true",
    b"[]",
    b'"x"',
    b"1",
    b'{"":1}',
    b'{"__proto__":{"name":"x"}}',
)


def _headers(api: Api, **headers: str) -> dict[str, str]:
    fixed = {"X-Tenant-Id": str(api.tenant), "X-Roles": "sales", "Content-Type": "application/json"}
    return {**fixed, **headers}


@pytest.mark.parametrize("body", NOTORIOUS_BODIES, ids=lambda body: repr(body[:24]))
def test_a_notorious_body_is_refused(api: Api, body: bytes) -> None:
    assert api("POST", ACCOUNTS, body).status_code == 400
    answer = gateway.call("POST", ACCOUNTS, _headers(api), body)
    assert (answer["statusCode"], answer.get("isBase64Encoded")) == (400, None)
    assert json.loads(answer["body"])["code"] in {"invalid-json", "validation-failed"}
    assert api("GET", ACCOUNTS).json_body["items"] == []


def test_only_the_names_of_the_contract_are_taken(api: Api) -> None:
    account = api.create("accounts", name="Northwind")["id"]
    job = {"accountId": account, "title": "Meter"}
    for name, value in (("amount_cents", 5), ("scheduled_for", None), ("account_id", account)):
        answer = api("POST", "/api/crm/jobs", {**job, name: value})
        problem(answer, 400, "validation-failed", name)
    path = f"/api/crm/jobs/{api.create('jobs', **job)['id']}"
    answer = api("PATCH", path, {"amount_cents": 5}, headers={"If-Match": "*"})
    problem(answer, 400, "validation-failed", "amount_cents")


def test_a_key_that_is_stated_twice_is_refused(api: Api) -> None:
    body = problem(api("POST", ACCOUNTS, b'{"name":"a","name":"b"}'), 400, "invalid-json")
    assert "twice" in body["detail"]


def test_bytes_that_are_not_utf_8_reach_the_function_and_are_refused(api: Api) -> None:
    body = '{"name":"Müller"}'.encode("latin-1")
    answer = gateway.call("POST", ACCOUNTS, _headers(api), body)
    assert answer["statusCode"] == 400
    assert "not UTF-8" in json.loads(answer["body"])["detail"]


@pytest.mark.parametrize("binary", [True, False])
def test_a_text_is_stored_as_it_was_sent(api: Api, binary: bool) -> None:
    body = json.dumps({"name": "Müller 🚀"}, ensure_ascii=False).encode()
    for accept in ({}, {"Accept": "text/html"}, {"Accept": "application/json"}):
        answer = gateway.call("POST", ACCOUNTS, _headers(api, **accept), body, binary=binary)
        assert (answer["statusCode"], json.loads(answer["body"])["name"]) == (201, "Müller 🚀")


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 201),
        ("Application/JSON", 201),
        ("application/json;charset=utf-8", 201),
        ('application/json; CHARSET="UTF-8"', 201),
        (r'application/json; charset="u\tf-8"', 201),
        ("application/json; charset=utf8", 201),
        ('application/json; profile="a;charset=latin1"; version=1', 201),
        ("application/json;", 201),
        ("application/json ; ; charset=utf-8", 201),
        ("application/json; charset=iso-8859-1", 415),
        ('application/json; charset="ISO-8859-1"', 415),
        ("application/json; profile=x; charset=utf-16", 415),
        ('application/json; charset=""', 415),
        ("application/json; charset=utf-8; charset=latin1", 415),
        ("application/json; charset", 415),
        ("application/json, text/plain", 415),
        ("application/jsonx", 415),
        ("text/plain", 415),
        ("", 415),
        (";", 415),
        ("é", 415),
        ("application/json; a=" + "x" * 9_000, 415),
    ],
)
def test_the_content_type_is_read_as_http_states_it(
    api: Api, content_type: str, status: int
) -> None:
    answer = api("POST", ACCOUNTS, {"name": "x"}, headers={"Content-Type": content_type})
    assert answer.status_code == status
    if status == 415:
        problem(answer, 415, "unsupported-media-type")


def test_a_body_without_a_content_type_is_json(api: Api) -> None:
    headers = _headers(api)
    del headers["Content-Type"]
    assert gateway.call("POST", ACCOUNTS, headers, b'{"name":"x"}')["statusCode"] == 201


@pytest.mark.parametrize("repeated", ["Authorization", "X-Tenant-Id", "X-Roles", "Content-Type"])
def test_a_header_that_is_sent_twice_counts_as_one_list(api: Api, repeated: str) -> None:
    headers: dict[str, str | list[str]] = {**_headers(api)}
    headers[repeated] = [str(headers.get(repeated, "Bearer x")), str(uuid4())]
    answer = gateway.call("POST", ACCOUNTS, headers, b'{"name":"x"}')
    assert answer["statusCode"] in {201, 401, 415}
    assert (answer["statusCode"] == 201) == (repeated == "Authorization")


@pytest.mark.parametrize(
    "name",
    [
        "Accept",
        "Authorization",
        "Content-Type",
        "Idempotency-Key",
        "If-Match",
        "If-None-Match",
        "Origin",
        "X-Request-Id",
        "X-Roles",
        "X-Tenant-Id",
        "traceparent",
    ],
)
@pytest.mark.parametrize("value", ["", " ", ",", '"', "\x00", "é", "🚀", "\ud800", "x" * 9_000])
def test_no_header_makes_the_service_fail(api: Api, name: str, value: str) -> None:
    for method in ("POST", "GET"):
        answer = gateway.call(method, ACCOUNTS, _headers(api, **{name: value}), b'{"name":"x"}')
        assert answer["statusCode"] < 500


def test_a_retry_with_other_query_values_or_another_type_is_another_request(
    api: Api, postgres: Postgres
) -> None:
    key = {"Idempotency-Key": "k-1"}
    first = api("POST", f"{ACCOUNTS}?a=1%0Ab%3D2", {"name": "x"}, headers=key)
    assert first.status_code == 201
    for query in ("?a=1&b=2", "?a=1%0Ab%3D2&a=1%0Ab%3D2", ""):
        answer = api("POST", f"{ACCOUNTS}{query}", {"name": "x"}, headers=key)
        problem(answer, 422, "idempotency-key-reused")
    other = {**key, "Content-Type": "application/json;charset=utf-8"}
    answer = api("POST", f"{ACCOUNTS}?a=1%0Ab%3D2", {"name": "x"}, headers=other)
    problem(answer, 422, "idempotency-key-reused")
    again = api("POST", f"{ACCOUNTS}?a=1%0Ab%3D2", {"name": "x"}, headers=key)
    assert (again.status_code, again.body) == (201, first.body)
