"""The whole system: a stack of its own, deployed through CloudFormation, driven over HTTP, killed and repaired."""

import json
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psutil
import pytest
import requests

from chalicelib.config import Settings
from chalicelib.security.identity import Role
from infra.local import demo, records
from infra.local.errors import ServiceFailed
from infra.local.ports import Ports
from infra.local.stack import Stack
from infra.ops import topics
from infra.paths import ROOT
from tests.e2e.healer import SCHEDULED
from tests.fuzz.run import fuzz

pytestmark = pytest.mark.e2e
EVENTS = [name for name in topics.names(Settings()) if "dlq" not in name]
CATCH_UP_SECONDS = 120.0
"""The schedule fires each minute, and a relay that saw its broker die backs off up to half a minute."""


class System:
    """A running stack, and a tenant that calls it."""

    def __init__(self, stack: Stack, api: str) -> None:
        self.stack = stack
        self.api = api
        self.tenant = str(uuid4())
        self.accepted = 0
        self._tokens: dict[tuple[Role, str], str] = {}

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        fixed = {"Authorization": f"Bearer {self.token(Role.SALES)}"}
        return requests.request(
            method, self.api + path, json=body, headers={**fixed, **headers}, timeout=30
        )

    def token(self, role: Role) -> str:
        key = (role, self.tenant)
        if key not in self._tokens:
            self._tokens[key] = self.stack.issuer.token(role, UUID(self.tenant))
        return self._tokens[key]

    def create(self, name: str) -> dict[str, Any]:
        answer = self.send("POST", "/api/crm/accounts", {"name": name})
        assert answer.status_code == 201, answer.text
        self.accepted += 1
        return dict(answer.json())


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    home = Path(tempfile.mkdtemp(prefix="aetherlink-e2e-"))
    home.chmod(0o711)
    stack = Stack(home, Ports.free(), fast=True)
    try:
        yield System(stack, stack.up())
    finally:
        stack.down()
        left = [
            p.info
            for p in psutil.process_iter(["pid", "cmdline"])
            if str(home) in " ".join(p.info["cmdline"] or [])
        ]
        shutil.rmtree(home, ignore_errors=True)
        assert not left, f"processes left behind: {left}"


def _problem(answer: requests.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert "Traceback" not in answer.text
    return dict(answer.json())


def test_the_main_job_goes_through(system: System) -> None:
    seen = demo.run(
        system.api,
        system.stack.issuer.token,
        system.stack.kafka.bootstrap_servers,
        EVENTS,
        say=lambda _: None,
    )
    assert len(seen) == 7


def test_the_gateway_passes_on_what_is_wrong(system: System) -> None:
    wrong = system.send("POST", "/api/crm/accounts", {"name": "a\x00b", "colour": "red"})
    assert {error["field"] for error in _problem(wrong, 400)["errors"]} == {
        "name",
        "colour",
    }
    assert (
        _problem(system.send("POST", "/api/crm/accounts", {"name": "a" * 2_000_000}), 413)["code"]
        == "payload-too-large"
    )
    assert _problem(system.send("GET", "/api/crm/nothing"), 404)["code"] == "not-found"
    account = system.create("Northwind")
    system.tenant, mine = str(uuid4()), system.tenant
    assert (
        _problem(system.send("GET", f"/api/crm/accounts/{account['id']}"), 404)["code"]
        == "not-found"
    )
    system.tenant = mine


def test_the_deployed_api_answers_as_its_document_says(system: System, tmp_path: Path) -> None:
    """Some of what `make fuzz` sends."""
    report = fuzz(
        system.api,
        system.stack.issuer.token(Role.ADMIN),
        examples=10,
        home=tmp_path,
        seed=1,
    )
    assert report.passed, report.said[-4_000:]
    assert report.cases >= 1_000
    document = json.loads((ROOT / "chalicelib" / "static" / "openapi.json").read_text())
    assert set(report.answers) == {
        f"{m.upper()} {path}" for path, methods in document["paths"].items() for m in methods
    }


def _logs(system: System) -> str:
    """Return everything that anybody may read of what the parts wrote, the functions in the first place."""
    said = "".join(file.read_text(errors="replace") for file in system.stack.logs().values())
    watch = system.stack.emulator.client("logs")
    for group in watch.describe_log_groups()["logGroups"]:
        name = group["logGroupName"]
        for page in watch.get_paginator("filter_log_events").paginate(logGroupName=name):
            said += "".join(event["message"] for event in page["events"])
    return said


def test_secrets_stand_in_the_store_alone_whatever_goes_wrong(system: System) -> None:
    stack = system.stack
    kept = [*stack.postgres.passwords().values(), stack.environment()["CURSOR_SECRET"]]
    system.create("with a cursor")
    answers = [
        system.send("GET", "/api/crm/accounts?limit=1"),
        system.send("GET", "/api/crm/accounts?cursor=made-up"),
    ]
    with stack.postgres.connect() as connection:
        for change in (
            "'not-what-the-store-has'",
            f"'{stack.postgres.passwords()['aetherlink_api']}'",
        ):
            connection.execute_simple(f"ALTER ROLE aetherlink_api PASSWORD {change}")
            connection.execute_simple(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'aetherlink_api'"
            )
            answers += [
                system.send("GET", "/api/crm/accounts"),
                system.send("GET", "/health/ready"),
            ]
    assert [answer.status_code for answer in answers] == [200, 400, 503, 503, 200, 200]
    functions = stack.emulator.client("lambda").list_functions()["Functions"]
    logs = _logs(system)
    places = {
        "template": (stack.home / "package" / "sam.json").read_text(),
        "environment": json.dumps([one["Environment"] for one in functions]),
        "answers": "".join(answer.text + str(answer.headers) for answer in answers),
        "logs": logs,
    }
    assert "28P01" in logs, "the functions' log is among them"
    assert "secretsmanager:aetherlink/local/database-api" in places["environment"]
    assert not [
        (place, text) for place, text in places.items() for secret in kept if secret in text
    ]


def test_only_tokens_of_the_issuer_open_the_api(system: System) -> None:
    accounts = "/api/crm/accounts"
    believed_once = {"X-Tenant-Id": system.tenant, "X-Roles": "admin"}
    refused = requests.get(system.api + accounts, headers=believed_once, timeout=30)
    assert _problem(refused, 401)["code"] == "unauthenticated"
    assert [
        value
        for name, value in refused.headers.items()
        if name.lower().endswith("www-authenticate")
    ]
    for role, status in ((Role.SALES, 403), (Role.OPS, 200), (Role.ADMIN, 200)):
        answer = system.send("GET", "/api/outbox", Authorization=f"Bearer {system.token(role)}")
        assert answer.status_code == status, answer.text
    foreign = system.send("GET", accounts, **{"X-Tenant-Id": str(uuid4())})
    assert _problem(foreign, 403)["code"] == "tenant-mismatch"
    tampered = system.token(Role.SALES)[:-10]
    assert (
        _problem(system.send("GET", accounts, Authorization=f"Bearer {tampered}"), 401)["code"]
        == "token-untrusted"
    )


def test_tokens_outlive_the_issuer_and_the_keys_outlive_its_absence(system: System) -> None:
    before = system.token(Role.SALES)
    system.stack.issuer.kill()
    assert system.send("GET", "/api/crm/accounts").status_code == 200, "the functions have its keys"
    assert system.stack.up() == system.api
    assert system.stack.issuer.token(Role.SALES) != before
    assert system.send("GET", "/api/crm/accounts").status_code == 200


def test_a_second_up_changes_nothing(system: System) -> None:
    said: list[str] = []
    system.stack.progress.say = said.append
    assert system.stack.up() == system.api
    assert any("unchanged" in line for line in said)


def test_sources_that_make_no_difference_to_the_package_deploy_too(system: System) -> None:
    (system.stack.home / "emulator" / "deployed.json").unlink()
    assert system.stack.up() == system.api


def test_whatever_is_killed_what_was_accepted_arrives_after_the_repair(
    system: System,
) -> None:
    stack = system.stack
    kept = system.create("before it all")

    stack.postgres.kill()
    refused = system.send("POST", "/api/crm/accounts", {"name": "refused"})
    assert _problem(refused, 503)["code"] == "database-unavailable"
    assert refused.headers["Retry-After"]
    assert system.send("GET", "/health/ready").status_code == 503
    assert system.send("GET", "/health/live").status_code == 200
    stack.up()
    system.create("after the database came back")

    stack.kafka.kill()
    system.create("while Kafka is down")
    assert not stack.status()["parts"]["kafka"]["running"]
    system.api = stack.up()
    system.create("after Kafka came back")

    stack.emulator.kill()
    with pytest.raises(requests.ConnectionError):
        system.send("GET", "/health/live")
    system.api = stack.up()
    system.create("after the emulator came back")

    names = [account["name"] for account in system.send("GET", "/api/crm/accounts").json()["items"]]
    assert len(names) == system.accepted
    assert "refused" not in names
    assert system.send("GET", f"/api/crm/accounts/{kept['id']}").json() == kept
    wanted = system.accepted
    if (
        stack.kafka.kind == "embedded"
    ):  # its records died with it: what was relayed before is in the archive
        with stack.postgres.connect() as connection:
            query = "SELECT count(*) FROM outbox_archive WHERE tenant_id = $1::uuid AND kafka_offset IS NOT NULL"
            relayed = connection.execute_unnamed(query, (system.tenant,)).rows[0][0]
        wanted -= relayed
    _relay_at_once(stack)
    with records.reading(stack.kafka.bootstrap_servers, EVENTS, from_start=True) as consumer:
        seen = records.collect(consumer, system.tenant, wanted, seconds=CATCH_UP_SECONDS)
    assert len({record.key for record in seen}) == len(seen) >= 1


def _relay_at_once(stack: Stack) -> None:
    """Fire the relay as its schedule will within a minute; nobody waits for the end of its run."""

    def fire() -> None:
        with suppress(Exception):  # the emulator may be stopped under it
            stack.emulator.invoke("Relay", SCHEDULED)

    threading.Thread(target=fire, daemon=True).start()


def test_a_port_that_is_taken_is_named_with_the_setting_that_moves_it(
    system: System, tmp_path: Path
) -> None:
    taken = Stack(tmp_path, Ports(system.stack.ports.postgres, 1, 2, 3), broker="embedded")
    with pytest.raises(ServiceFailed, match="AETHERLINK_POSTGRES_PORT"):
        taken.postgres.start()
