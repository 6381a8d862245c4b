"""Accounts, contacts and jobs over HTTP."""

from urllib.parse import urljoin
from uuid import uuid4

from infra.local.postgres import Postgres
from tests.integration.api.client import Api, problem

JOB_FIELDS = {
    "id",
    "tenantId",
    "version",
    "createdAt",
    "updatedAt",
    "accountId",
    "contactId",
    "title",
    "description",
    "status",
    "scheduledFor",
    "amountCents",
    "currency",
}


def test_a_job_can_be_created_read_changed_moved_listed_and_deleted(api: Api) -> None:
    account = api.create("accounts", name="Northwind", website="https://northwind.test")
    contact = api.create(
        "contacts", name="Ada", email="ada@northwind.test", accountId=account["id"]
    )
    created = api(
        "POST",
        "/api/crm/jobs",
        {"accountId": account["id"], "contactId": contact["id"], "title": "Meter"},
    )
    job = created.json_body
    address = urljoin("https://crm.example.test/api/crm/jobs", created.headers["Location"])
    assert address == f"https://crm.example.test/api/crm/jobs/{job['id']}"
    assert (created.headers["ETag"], job["version"], job["status"], job["currency"]) == (
        '"1"',
        1,
        "Open",
        "USD",
    )
    assert set(job) == JOB_FIELDS
    path = f"/api/crm/jobs/{job['id']}"
    assert api("GET", path).json_body == job
    patched = api("PATCH", path, {"amountCents": 5}, headers={"If-Match": '"1"'})
    assert (patched.json_body["amountCents"], patched.headers["ETag"]) == (5, '"2"')
    assert api("POST", f"{path}/status", {"status": "Scheduled"}).json_body["version"] == 3
    assert [
        item["id"] for item in api("GET", "/api/crm/jobs?status=Scheduled").json_body["items"]
    ] == [job["id"]]
    assert api("DELETE", path).status_code == 204
    problem(api("GET", path), 404, "not-found")


def test_a_row_of_another_tenant_does_not_exist(api: Api) -> None:
    account = api.create("accounts", name="Northwind")
    stranger = Api(api.client, uuid4())
    path = f"/api/crm/accounts/{account['id']}"
    problem(stranger("GET", path), 404, "not-found")
    problem(stranger("PATCH", path, {"name": "x"}, headers={"If-Match": "*"}), 404, "not-found")
    problem(stranger("DELETE", path), 404, "not-found")
    assert stranger("GET", "/api/crm/accounts").json_body == {
        "items": [],
        "nextCursor": None,
    }


def test_a_cursor_continues_the_list_and_is_bound_to_tenant_and_filter(
    api: Api,
) -> None:
    names = [api.create("accounts", name=f"A{number}")["name"] for number in range(5)]
    first = api("GET", "/api/crm/accounts?limit=3").json_body
    second = api("GET", f"/api/crm/accounts?limit=3&cursor={first['nextCursor']}").json_body
    assert [item["name"] for item in first["items"] + second["items"]] == names
    assert second["nextCursor"] is None
    problem(
        api("GET", f"/api/crm/accounts?q=A&cursor={first['nextCursor']}"),
        400,
        "bad-cursor",
        "cursor",
    )
    stranger = Api(api.client, uuid4())
    problem(
        stranger("GET", f"/api/crm/accounts?limit=3&cursor={first['nextCursor']}"),
        400,
        "bad-cursor",
        "cursor",
    )


def test_a_change_requires_the_current_version(api: Api) -> None:
    path = f"/api/crm/accounts/{api.create('accounts', name='A')['id']}"
    problem(api("PATCH", path, {"name": "B"}), 428, "precondition-required")
    problem(api("PATCH", path, {"name": "B"}, headers={"If-Match": '"7"'}), 412, "stale-version")
    for nonsense in ("seven", "", '"1" "2"', "7"):
        problem(
            api("PATCH", path, {"name": "B"}, headers={"If-Match": nonsense}),
            400,
            "bad-etag",
            "If-Match",
        )
    merge = {"If-Match": '"1"', "Content-Type": "application/merge-patch+json"}
    assert api("PATCH", path, {"name": "B"}, headers=merge).json_body["version"] == 2
    problem(api("DELETE", path, headers={"If-Match": '"1"'}), 412, "stale-version")


def test_a_broken_business_rule_is_explained(api: Api) -> None:
    account = api.create("accounts", name="A")
    job = api.create("jobs", accountId=account["id"], title="x")
    problem(api("DELETE", f"/api/crm/accounts/{account['id']}"), 409, "account-has-jobs")
    moved = api("POST", f"/api/crm/jobs/{job['id']}/status", {"status": "Completed"})
    assert problem(moved, 409, "illegal-status-change")["allowed"] == [
        "Scheduled",
        "Cancelled",
    ]
    problem(
        api("POST", "/api/crm/jobs", {"accountId": str(uuid4()), "title": "x"}),
        422,
        "unknown-reference",
        "accountId",
    )
    api.create("contacts", name="Ada", email="ada@x.test")
    problem(
        api("POST", "/api/crm/contacts", {"name": "E", "email": "ADA@x.test"}),
        409,
        "already-taken",
        "email",
    )


def test_a_number_is_an_integer_by_its_value(api: Api) -> None:
    account = api.create("accounts", name="Northwind")["id"]
    assert api.create("jobs", accountId=account, title="x", amountCents=12.0)["amountCents"] == 12
    for wrong in (12.5, -1, 2**53, "12", True):
        body = {"accountId": account, "title": "x", "amountCents": wrong}
        problem(api("POST", "/api/crm/jobs", body), 400, "validation-failed", "amountCents")


def test_values_stored_under_older_rules_can_still_be_read(api: Api, postgres: Postgres) -> None:
    account = api.create("accounts", name="Northwind")
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
