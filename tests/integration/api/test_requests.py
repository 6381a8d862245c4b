"""Requests that are not valid, or not allowed, get a problem document that says why."""

import json
from uuid import uuid4

import pytest

import app
from chalicelib.entrypoints.methods import METHODS
from tests.integration.api.client import Api, problem


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
    problem(api("POST", "/api/crm/accounts", body), 400, code, field)


def test_a_body_over_the_limit_is_refused(api: Api) -> None:
    problem(
        api("POST", "/api/crm/accounts", b'{"name":"' + b"a" * 2_000_000 + b'"}'),
        413,
        "payload-too-large",
    )


def test_another_media_type_is_refused(api: Api) -> None:
    answer = api("POST", "/api/crm/accounts", b"<a/>", headers={"Content-Type": "text/xml"})
    problem(answer, 415, "unsupported-media-type")


@pytest.mark.parametrize(
    "wrong", ["7", "not-a-uuid", "0197a3c0-5f3e-7cc4-9d0a-2b8b6f0f1e1", "{0197a3c0}", "%00"]
)
def test_a_bad_id_is_refused(api: Api, wrong: str) -> None:
    problem(api("GET", f"/api/crm/jobs/{wrong}"), 400, "bad-id", "id")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=00500", "limit"),
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
def test_callers_without_a_tenant_or_a_role_are_refused(
    api: Api, headers: dict[str, str], status: int, code: str
) -> None:
    answer = api("POST", "/api/crm/accounts", {"name": "x"}, headers=headers)
    problem(answer, status, code)
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)


def test_the_role_ops_may_read_the_crm(api: Api) -> None:
    assert Api(api.client, api.tenant, "ops")("GET", "/api/crm/accounts").status_code == 200


def test_a_path_lists_its_methods_and_refuses_the_rest(api: Api) -> None:
    refused = api("PUT", "/api/crm/jobs")
    problem(refused, 405, "method-not-allowed")
    assert refused.headers["Allow"] == "GET, HEAD, OPTIONS, POST"
    for path, methods in app.app.routes.items():
        assert set(methods) == METHODS, path
        answer = api("OPTIONS", path.replace("{id}", str(uuid4())).replace("{key}", "k"))
        assert (answer.status_code, answer.body) == (204, b"")
        assert "Access-Control-Allow-Origin" not in answer.headers
