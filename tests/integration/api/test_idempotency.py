"""The `Idempotency-Key` header."""

from chalicelib.config import Settings
from tests.conftest import Compose
from tests.integration.api.client import Api, problem


def test_a_request_runs_once_for_its_key_and_is_answered_alike(api: Api) -> None:
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
    problem(
        api("POST", "/api/crm/accounts", {"name": "Twice"}, headers=key),
        422,
        "idempotency-key-reused",
    )
    problem(
        api("POST", "/api/crm/accounts", {"name": "x"}, headers={"Idempotency-Key": ""}),
        400,
        "bad-idempotency-key",
    )
    path = f"/api/crm/accounts/{first.json_body['id']}"
    for method, body, match in (("PATCH", {"name": "B"}, '"1"'), ("DELETE", None, '"2"')):
        headers = {"Idempotency-Key": method, "If-Match": match}
        first = api(method, path, body, headers=headers)
        repeated = api(method, path, body, headers=headers)
        assert (first.status_code, first.body) == (repeated.status_code, repeated.body)
        assert repeated.headers["Idempotent-Replayed"] == "true"


def test_the_key_can_be_made_mandatory_for_creation(
    api: Api, database: Settings, composed: Compose
) -> None:
    composed(database.changed(idempotency={"required": True}))
    problem(api("POST", "/api/crm/accounts", {"name": "x"}), 400, "idempotency-key-missing")
    created = api("POST", "/api/crm/accounts", {"name": "x"}, headers={"Idempotency-Key": "k"})
    assert created.status_code == 201
    match = {"If-Match": '"1"'}
    assert (
        api(
            "PATCH",
            f"/api/crm/accounts/{created.json_body['id']}",
            {"name": "y"},
            headers=match,
        ).status_code
        == 200
    )
