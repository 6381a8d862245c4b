"""Conditional requests, HEAD and challenges, as RFC 9110 and RFC 6750 have them."""

import pytest

import app
from chalicelib.entrypoints.methods import METHODS
from tests.integration.api import gateway
from tests.integration.api.client import Api, problem


@pytest.fixture
def account(api: Api) -> str:
    """Return the path of an account at version 2."""
    path = f"/api/crm/accounts/{api.create('accounts', name='A')['id']}"
    assert api("PATCH", path, {"name": "B"}, headers={"If-Match": '"1"'}).status_code == 200
    return path


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"If-Match": '"2"'}, 200, None),
        ({"If-Match": "*"}, 200, None),
        ({"If-Match": '"1", "2"'}, 200, None),
        ({"If-Match": ' , "7" ,W/"2", "2"'}, 200, None),
        ({"If-Match": '"2"', "If-None-Match": '"1"'}, 200, None),
        ({"If-Match": '"1"'}, 412, "stale-version"),
        ({"If-Match": 'W/"2"'}, 412, "stale-version"),
        ({"If-Match": '"abc"'}, 412, "stale-version"),
        ({"If-Match": '"02"'}, 412, "stale-version"),
        ({"If-Match": '""'}, 412, "stale-version"),
        ({"If-Match": '"99999999999999999999"'}, 412, "stale-version"),
        ({"If-None-Match": "*"}, 412, "stale-version"),
        ({"If-Match": "*", "If-None-Match": "*"}, 412, "stale-version"),
        ({"If-Match": '"2"', "If-None-Match": 'W/"2"'}, 412, "stale-version"),
        ({"If-Match": "2"}, 400, "bad-etag"),
        ({"If-Match": ""}, 400, "bad-etag"),
        ({"If-Match": '"2'}, 400, "bad-etag"),
        ({"If-Match": '*, "2"'}, 400, "bad-etag"),
        ({"If-Match": '"2"', "If-None-Match": "x"}, 400, "bad-etag"),
        ({}, 428, "precondition-required"),
        ({"If-None-Match": '"1"'}, 428, "precondition-required"),
    ],
)
def test_a_change_happens_only_under_its_preconditions(
    api: Api, account: str, headers: dict[str, str], status: int, code: str | None
) -> None:
    answer = api("PATCH", account, {"name": "C"}, headers=headers)
    if code:
        problem(answer, status, code)
    assert (answer.status_code, api("GET", account).json_body["name"]) == (
        status,
        "C" if status == 200 else "B",
    )


def test_a_deletion_and_a_move_keep_to_their_preconditions(api: Api, account: str) -> None:
    job = api.create("jobs", accountId=account.rpartition("/")[2], title="Meter")["id"]
    path = f"/api/crm/jobs/{job}"
    for headers in ({"If-None-Match": "*"}, {"If-None-Match": '"1"'}, {"If-Match": 'W/"1"'}):
        move = api("POST", f"{path}/status", {"status": "Scheduled"}, headers=headers)
        problem(move, 412, "stale-version")
        problem(api("DELETE", path, headers=headers), 412, "stale-version")
    deleted = api("DELETE", path, headers={"If-Match": '"9", "1"'})
    assert (deleted.status_code, deleted.body) == (204, b"")
    assert "Content-Type" not in deleted.headers
    assert deleted.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_reader_that_has_the_version_gets_no_body(api: Api, account: str, method: str) -> None:
    for header in ('"2"', 'W/"2"', '"1", "2"', "*"):
        answer = api(method, account, headers={"If-None-Match": header})
        assert (answer.status_code, answer.body, answer.headers["ETag"]) == (304, b"", '"2"')
        assert "Content-Type" not in answer.headers
        assert answer.headers["Cache-Control"] == "no-store"
    assert api(method, account, headers={"If-None-Match": '"1"'}).status_code == 200
    assert api(method, account, headers={"If-Match": '"2"'}).status_code == 200
    assert api(method, account, headers={"If-Match": '"1"'}).status_code == 412
    assert api(method, account, headers={"If-Match": "1"}).status_code == 400
    assert api(method, account, headers={"If-None-Match": "1"}).status_code == 400


def test_lists_of_tags_may_come_in_several_headers(api: Api, account: str) -> None:
    headers: dict[str, str | list[str]] = {
        "X-Tenant-Id": str(api.tenant),
        "X-Roles": "sales",
        "If-None-Match": ['"2"', '"7"'],
    }
    assert gateway.call("GET", account, headers)["statusCode"] == 304


def test_head_is_answered_as_get_without_the_body(api: Api, account: str) -> None:
    headers = {"X-Tenant-Id": str(api.tenant), "X-Roles": "sales", "X-Request-Id": "request-1"}
    for path in (account, "/api/crm/accounts", "/", "/docs", f"{account[:-1]}x"):
        read = gateway.call("GET", path, headers)
        head = gateway.call("HEAD", path, headers)
        assert (head["statusCode"], head["body"]) == (read["statusCode"], "")
        assert int(head["headers"].pop("Content-Length")) == len(read["body"].encode())
        assert head["headers"] == read["headers"]


def test_head_is_offered_wherever_get_is_and_is_as_open(api: Api) -> None:
    stranger = {"X-Roles": "king"}
    for path, methods in app.app.routes.items():
        concrete = path.replace("{id}", "0197a3c0-5f3e-7cc4-9d0a-2b8b6f0f1e11")
        allowed = api("OPTIONS", concrete).headers["Allow"].split(", ")
        assert ("HEAD" in allowed) == ("GET" in allowed)
        assert set(methods) == METHODS
        if "HEAD" in allowed:
            head = api("HEAD", concrete, headers=stranger)
            assert head.status_code == api("GET", concrete, headers=stranger).status_code, path
            assert head.body == b""


@pytest.mark.parametrize(
    ("authorization", "challenge"),
    [
        (None, 'Bearer realm="aetherlink"'),
        ("", 'Bearer realm="aetherlink"'),
        ("Basic YTpi", 'Bearer realm="aetherlink"'),
        ("Bearer", 'Bearer realm="aetherlink"'),
        ("Bearer ", 'Bearer realm="aetherlink"'),
        ("Bearer x.y.z", 'Bearer realm="aetherlink", error="invalid_token"'),
        ("bearer x", 'Bearer realm="aetherlink", error="invalid_token"'),
    ],
)
def test_a_challenge_has_an_error_only_where_a_token_was_sent(
    api: Api, authorization: str | None, challenge: str
) -> None:
    headers = {"X-Roles": ""}
    if authorization is not None:
        headers["Authorization"] = authorization
    for method, path in (("GET", "/api/crm/accounts"), ("POST", "/autoheal/alert")):
        answer = api(method, path, {} if method == "POST" else None, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == challenge


def test_every_answer_says_how_it_may_be_cached(api: Api, account: str) -> None:
    for method, path in (("GET", account), ("GET", "/x/7"), ("PUT", account), ("OPTIONS", account)):
        if path != "/x/7":
            assert api(method, path).headers["Cache-Control"] == "no-store"
    document = api("GET", "/openapi.json")
    assert document.headers["Cache-Control"] == "public, max-age=300"
    known = api("GET", "/openapi.json", headers={"If-None-Match": document.headers["ETag"]})
    assert (known.status_code, known.body) == (304, b"")
