"""The whole system, deployed through CloudFormation, driven over HTTP, killed and repaired."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urljoin
from uuid import UUID, uuid4

import pytest
import requests

from chalicelib.config import Settings
from chalicelib.security.identity import Role
from infra.local import demo, records
from infra.local.errors import ServiceFailed
from infra.local.ports import Ports
from infra.local.records import Record
from infra.local.stack import Stack
from infra.ops import topics
from infra.paths import ROOT
from tests.e2e.healer import SCHEDULED
from tests.fuzz.run import fuzz

pytestmark = pytest.mark.e2e
EVENT_TOPICS = [name for name in topics.names(Settings()) if "dlq" not in name]
FUZZ_EXAMPLES = 4
CATCH_UP_SECONDS = 240.0
"""The relay runs once a minute, and one that saw its broker die waits up to half a minute more."""


class Client:
    """A running stack, and a tenant that calls its API."""

    def __init__(self, stack: Stack, api: str) -> None:
        self.stack = stack
        self.api = api
        self.tenant = str(uuid4())
        self.accepted = 0
        self._tokens: dict[tuple[Role, str], str] = {}

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        signed_in = {"Authorization": f"Bearer {self.token(Role.SALES)}"}
        return requests.request(
            method, self.api + path, json=body, headers={**signed_in, **headers}, timeout=30
        )

    def token(self, role: Role) -> str:
        key = (role, self.tenant)
        if key not in self._tokens:
            self._tokens[key] = self.stack.issuer.token(role, UUID(self.tenant))
        return self._tokens[key]

    def create(self, name: str) -> dict[str, Any]:
        response = self.send("POST", "/api/crm/accounts", {"name": name})
        assert response.status_code == 201, response.text
        self.accepted += 1
        return dict(response.json())


@pytest.fixture(scope="module")
def client(stack: Stack, api: str) -> Client:
    return Client(stack, api)


@pytest.fixture(scope="module", autouse=True)
def main_job(client: Client) -> Iterator[Future[list[Record]]]:
    """Walk through the main job in the background: its records come once a minute.

    Its requests have been made when the first test begins.
    """
    requests_made = threading.Event()

    def say(line: str) -> None:
        if "waiting" in line:
            requests_made.set()

    with ThreadPoolExecutor(max_workers=1) as pool:
        job = pool.submit(
            demo.run,
            client.api,
            client.stack.issuer.token,
            client.stack.kafka.bootstrap_servers,
            EVENT_TOPICS,
            say=say,
            seconds=CATCH_UP_SECONDS,
        )
        job.add_done_callback(lambda _: requests_made.set())  # whatever went wrong
        requests_made.wait()
        yield job


def problem(response: requests.Response, status: int) -> dict[str, Any]:
    """Return the problem document that `response` must be."""
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    assert "Traceback" not in response.text
    return dict(response.json())


def test_the_gateway_passes_problems_on(client: Client) -> None:
    wrong = client.send("POST", "/api/crm/accounts", {"name": "a\x00b", "colour": "red"})
    assert {error["field"] for error in problem(wrong, 400)["errors"]} == {"name", "colour"}
    large = client.send("POST", "/api/crm/accounts", {"name": "a" * 2_000_000})
    assert problem(large, 413)["code"] == "payload-too-large"
    assert problem(client.send("GET", "/api/crm/nothing"), 404)["code"] == "not-found"
    account = client.create("Northwind")
    tenant = client.tenant
    client.tenant = str(uuid4())
    foreign = client.send("GET", f"/api/crm/accounts/{account['id']}")
    assert problem(foreign, 404)["code"] == "not-found"
    client.tenant = tenant


def test_links_lead_to_what_they_name_at_each_address_of_the_api(client: Client) -> None:
    fixed = f"{client.stack.emulator.url}/aetherlink"
    assert client.api == fixed, "the address does not depend on the API's id"
    gateway = client.stack.emulator.client("apigateway")
    api_id = gateway.get_base_path_mapping(domainName="127.0.0.1", basePath="aetherlink")[
        "restApiId"
    ]
    by_id = f"{client.stack.emulator.url}/restapis/{api_id}/api/_user_request_"
    for client.api in (by_id, fixed):
        created = client.send("POST", "/api/crm/accounts", {"name": "Northwind"})
        client.accepted += 1
        address = urljoin(created.url, created.headers["Location"])
        assert address == f"{client.api}/api/crm/accounts/{created.json()['id']}"
        read = client.send("GET", address.removeprefix(client.api))
        assert (read.status_code, read.json()) == (200, created.json())
        document = client.send("GET", "/openapi.json")
        server = urljoin(document.url, document.json()["servers"][0]["url"])
        assert server == f"{client.api}/"


def _logs(client: Client) -> str:
    """Return everything that the services and the functions logged."""
    logs = [file.read_text(errors="replace") for file in client.stack.logs().values()]
    watch = client.stack.emulator.client("logs")
    for group in watch.describe_log_groups()["logGroups"]:
        name = group["logGroupName"]
        for page in watch.get_paginator("filter_log_events").paginate(logGroupName=name):
            logs += [event["message"] for event in page["events"]]
    return "".join(logs)


def test_secrets_are_in_the_store_alone_whatever_goes_wrong(client: Client) -> None:
    stack = client.stack
    secrets = [*stack.postgres.passwords().values(), stack.environment()["CURSOR_SECRET"]]
    client.create("with a cursor")
    responses = [
        client.send("GET", "/api/crm/accounts?limit=1"),
        client.send("GET", "/api/crm/accounts?cursor=made-up"),
    ]
    right = stack.postgres.passwords()["aetherlink_api"]
    with stack.postgres.connect() as connection:
        for password in ("not-what-the-store-has", right):
            connection.execute_simple(f"ALTER ROLE aetherlink_api PASSWORD '{password}'")
            connection.execute_simple(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE usename = 'aetherlink_api'"
            )
            responses.append(client.send("GET", "/api/crm/accounts"))
            responses.append(client.send("GET", "/health/ready"))
    statuses = [response.status_code for response in responses]
    assert statuses == [200, 400, 503, 503, 200, 200]
    functions = stack.emulator.client("lambda").list_functions()["Functions"]
    texts = {
        "template": (stack.home / "package" / "sam.json").read_text(),
        "environment": json.dumps([function["Environment"] for function in functions]),
        "answers": "".join(response.text + str(response.headers) for response in responses),
        "logs": _logs(client),
    }
    assert "28P01" in texts["logs"], "the functions' log is among them"
    assert "secretsmanager:aetherlink/local/database-api" in texts["environment"]
    leaks = [
        (place, secret) for place, text in texts.items() for secret in secrets if secret in text
    ]
    assert not leaks


def test_only_tokens_of_the_issuer_give_access(client: Client) -> None:
    accounts = "/api/crm/accounts"
    development = {"X-Tenant-Id": client.tenant, "X-Roles": "admin"}
    refused = requests.get(client.api + accounts, headers=development, timeout=30)
    assert problem(refused, 401)["code"] == "unauthenticated"
    assert any(name.lower().endswith("www-authenticate") for name in refused.headers)
    for role, status in ((Role.SALES, 403), (Role.OPS, 200), (Role.ADMIN, 200)):
        response = client.send("GET", "/api/outbox", Authorization=f"Bearer {client.token(role)}")
        assert response.status_code == status, response.text
    foreign = client.send("GET", accounts, **{"X-Tenant-Id": str(uuid4())})
    assert problem(foreign, 403)["code"] == "tenant-mismatch"
    tampered = client.token(Role.SALES)[:-10]
    untrusted = client.send("GET", accounts, Authorization=f"Bearer {tampered}")
    assert problem(untrusted, 401)["code"] == "token-untrusted"


def test_tokens_outlive_the_issuer_and_its_keys_are_cached(client: Client) -> None:
    before = client.token(Role.SALES)
    client.stack.issuer.kill()
    assert client.send("GET", "/api/crm/accounts").status_code == 200, "the keys are cached"
    assert client.stack.up() == client.api
    assert client.stack.issuer.token(Role.SALES) != before
    assert client.send("GET", "/api/crm/accounts").status_code == 200


def test_a_second_up_changes_nothing(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr(client.stack.progress, "say", lines.append)
    assert client.stack.up() == client.api
    assert any("unchanged" in line for line in lines)


def test_changed_sources_that_do_not_change_the_package_deploy_too(client: Client) -> None:
    client.stack.emulator.forget_deployment()
    assert client.stack.up() == client.api


@pytest.mark.timeout(900)
def test_the_deployed_api_answers_as_its_document_says(client: Client, tmp_path: Path) -> None:
    """A small part of what `make fuzz` sends."""
    token = client.stack.issuer.token(Role.ADMIN)
    report = fuzz(client.api, token, examples=FUZZ_EXAMPLES, home=tmp_path, seed=1)
    assert report.passed, report.output[-4_000:]
    document = json.loads((ROOT / "chalicelib" / "static" / "openapi.json").read_text())
    assert set(report.answers) == {
        f"{method.upper()} {path}"
        for path, methods in document["paths"].items()
        for method in methods
    }
    classes = {status // 100 for answers in report.answers.values() for status in answers}
    assert {2, 4} <= classes
    refused = {operation for operation, answers in report.answers.items() if max(answers) >= 400}
    assert len(refused) > len(report.answers) / 2, "most operations were sent wrong requests too"
    assert report.cases >= 1_000, report.cases


@pytest.mark.timeout(600)
def test_the_main_job_goes_through(main_job: Future[list[Record]]) -> None:
    assert len(main_job.result()) == 7


@pytest.mark.timeout(900)
def test_whatever_is_killed_accepted_events_arrive_after_the_repair(client: Client) -> None:
    stack = client.stack
    account = client.create("before any failure")

    stack.postgres.kill()
    refused = client.send("POST", "/api/crm/accounts", {"name": "refused"})
    assert problem(refused, 503)["code"] == "database-unavailable"
    assert refused.headers["Retry-After"]
    assert client.send("GET", "/health/ready").status_code == 503
    assert client.send("GET", "/health/live").status_code == 200
    stack.up()
    client.create("after the database came back")

    stack.kafka.kill()
    client.create("while Kafka is down")
    assert not stack.kafka.running()
    client.api = stack.up()
    client.create("after Kafka came back")

    stack.emulator.kill()
    with pytest.raises(requests.ConnectionError):
        client.send("GET", "/health/live")
    assert stack.up() == client.api, "an emulator that died does not change the address"
    client.create("after the emulator came back")

    accounts = client.send("GET", "/api/crm/accounts").json()["items"]
    names = [account["name"] for account in accounts]
    assert len(names) == client.accepted
    assert "refused" not in names
    assert client.send("GET", f"/api/crm/accounts/{account['id']}").json() == account
    expected = client.accepted
    if stack.kafka.kind == "embedded":
        expected -= _relayed(client)  # what was relayed before died with it, but is in the archive
    _relay_at_once(stack)
    bootstrap = stack.kafka.bootstrap_servers
    with records.reading(bootstrap, EVENT_TOPICS, from_start=True) as consumer:
        seen = records.collect(consumer, client.tenant, expected, seconds=CATCH_UP_SECONDS)
    assert len({record.key for record in seen}) == len(seen) >= 1


def _relayed(client: Client) -> int:
    """Return how many of the tenant's events have been relayed."""
    query = (
        "SELECT count(*) FROM outbox_archive"
        " WHERE tenant_id = $1::uuid AND kafka_offset IS NOT NULL"
    )
    with client.stack.postgres.connect() as connection:
        return int(connection.execute_unnamed(query, (client.tenant,)).rows[0][0])


def _relay_at_once(stack: Stack) -> None:
    """Run the relay, as its schedule does within a minute, without waiting for it to end."""

    def relay() -> None:
        with suppress(Exception):  # the emulator may be stopped meanwhile
            stack.emulator.invoke("Relay", SCHEDULED)

    threading.Thread(target=relay, daemon=True).start()


def test_a_port_that_is_taken_is_named_with_the_setting_that_moves_it(
    stack: Stack, tmp_path: Path
) -> None:
    other = Stack(tmp_path, Ports(stack.ports.postgres, 1, 2, 3), broker="embedded")
    with pytest.raises(ServiceFailed, match="AETHERLINK_POSTGRES_PORT"):
        other.postgres.start()
