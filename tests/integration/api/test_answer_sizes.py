"""Every answer is small enough for Lambda: pages end early, problem documents are bounded."""

import json

import pytest
from chalice.app import Chalice
from chalice.test import Client

from chalicelib.entrypoints.access import PUBLIC
from chalicelib.entrypoints.answer import Answer, json_answer
from chalicelib.entrypoints.call import Call
from chalicelib.entrypoints.endpoint import endpoint
from chalicelib.entrypoints.size import LAMBDA_LIMIT, fits, fitting
from tests.integration.api import gateway
from tests.integration.api.client import Api, problem


def _headers(api: Api, roles: str = "sales") -> dict[str, str]:
    return {"X-Tenant-Id": str(api.tenant), "X-Roles": roles, "Content-Type": "application/json"}


def test_a_body_of_unknown_keys_gets_a_short_answer(api: Api) -> None:
    keys = {f"k{number:06}": 1 for number in range(70_000)}
    long_keys = {"k" * 9_000 + str(number): 1 for number in range(100)}
    for body in (keys, long_keys):
        text = json.dumps(body).encode()
        assert len(text) < 1_000_000
        answer = gateway.call("POST", "/api/crm/accounts", _headers(api), text)
        assert answer["statusCode"] == 400
        assert len(answer["body"]) < 200_000
        assert len(json.loads(answer["body"])["errors"]) <= 50


def test_unknown_parameters_get_a_short_answer(api: Api) -> None:
    query = "&".join(f"parameter{number}=1" for number in range(5_000))
    for path in ("/api/crm/jobs", "/api/crm/accounts"):
        answer = api("GET", f"{path}?{query}")
        body = problem(answer, 400, "bad-parameter")
        assert (len(body["errors"]), len(body["detail"])) <= (50, 2_000)


@pytest.mark.parametrize("character", ["é", "中", "\t"])
def test_a_list_of_long_texts_ends_its_pages_early_and_loses_nothing(
    api: Api, character: str
) -> None:
    account = api.create("accounts", name="Northwind")["id"]
    text = f"a{character * 9_998}z"
    created = [
        api.create("jobs", accountId=account, title=str(number), description=text)["id"]
        for number in range(100)
    ]
    listed: list[str] = []
    cursor: str | None = ""
    pages = 0
    while cursor is not None:
        parameter = f"&cursor={cursor}" if cursor else ""
        answer = gateway.call("GET", f"/api/crm/jobs?limit=100{parameter}", _headers(api))
        assert answer["statusCode"] == 200
        page = json.loads(answer["body"])
        listed += [item["id"] for item in page["items"]]
        cursor = page["nextCursor"]
        pages += 1
    assert listed == created
    assert pages <= 2


def test_an_answer_is_measured_as_it_is_encoded() -> None:
    assert fits(b"x" * (LAMBDA_LIMIT - 70_000))
    assert not fits(b"x" * LAMBDA_LIMIT)
    assert not fits(b'"' * (LAMBDA_LIMIT // 2))
    assert not fits("é".encode() * (LAMBDA_LIMIT // 6))
    assert fits("é".encode() * (LAMBDA_LIMIT // 7))
    assert fits("🚀".encode() * (LAMBDA_LIMIT // 13))
    assert not fits("🚀".encode() * (LAMBDA_LIMIT // 12))


def test_a_page_has_at_least_its_first_item() -> None:
    large = b"x" * LAMBDA_LIMIT
    assert (fitting([]), fitting([large]), fitting([large, b"x"])) == (0, 1, 1)
    assert fitting([b"x", large, b"x"]) == 1
    assert fitting([b"x"] * 100) == 100


@pytest.mark.usefixtures("api")
def test_an_answer_that_is_too_large_becomes_a_problem_document() -> None:
    doors = Chalice("doors")

    @doors.route("/large")  # type: ignore[untyped-decorator] # Chalice has no types
    @endpoint(doors, rule=PUBLIC)
    def large(call: Call) -> Answer:
        """Return more than Lambda can."""
        return json_answer({"text": "é" * 1_000_000})

    with Client(doors) as client:
        answer = client.http.get("/large")
    body = problem(answer, 500, "answer-too-large")
    assert "smaller limit" in body["detail"]
