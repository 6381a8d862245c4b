"""Checks of readiness, where the value or the answer is made by hand."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pytest
from moto import mock_aws

from chalicelib.config import Settings
from infra.readiness.__main__ import CHECKS
from infra.readiness.check import Check, NotHere, State, Wrong, run, run_until
from infra.readiness.cloud import leaks, tables
from infra.readiness.routing import receivers
from infra.readiness.target import Target

NAMES = {one.name: one for one in CHECKS}
JSON = "application/json"
Answers = Callable[..., Target]


def rds(service: str) -> Any:
    return boto3.client(service, region_name="eu-central-1")  # type: ignore[call-overload]


@pytest.fixture
def answering() -> Iterator[Answers]:
    """Return what starts an API that gives these answers, by the start of the path: status, type, body."""
    servers = []

    def start(answers: dict[str, tuple[int, str, str]]) -> Target:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = next(one for start, one in answers.items() if self.path.startswith(start))
                self.send_response(found[0])
                self.send_header("Content-Type", found[1])
                self.end_headers()
                self.wfile.write(found[2].encode())

            def log_message(self, *_: object) -> None:
                pass

        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return target(f"http://127.0.0.1:{servers[-1].server_port}")

    yield start
    for one in servers:
        one.shutdown()
        one.server_close()


def target(api: str = "", **more: Any) -> Target:
    return Target(api, "token", "", "", "", Settings(), rds, **more)


@pytest.mark.parametrize(
    ("name", "answers", "said"),
    [
        ("health", {"/": (500, "text/plain", "")}, "answers 500"),
        ("health", {"/": (200, JSON, '{"status": "tired"}')}, "lacks actions"),
        ("health", {"/": (200, "text/html", "<html>")}, "does not answer"),
        (
            "audit-filters",
            {"/audit": (200, JSON, '{"events": [{"kind": "a"}, {"kind": "b"}]}')},
            "answers b",
        ),
        (
            "audit-csv",
            {
                "/audit?n=50&until=1&format=csv": (200, "text/csv", "kind\nb\n"),
                "/audit": (200, JSON, '{"events": [{"kind": "a", "ts": 1}]}'),
            },
            "differ from",
        ),
        ("console", {"/console": (500, "text/html", "")}, "answers 500"),
        ("console", {"/console": (200, JSON, "{}")}, "answers 200"),
        (
            "outbox-lag",
            {"/metrics": (200, "text/plain", "other 1\n")},
            "the database is away",
        ),
    ],
)
def test_answers_that_are_not_as_they_should_be(
    answering: Answers, name: str, answers: dict[str, tuple[int, str, str]], said: str
) -> None:
    [found] = run([NAMES[name]], answering(answers))
    assert (found.state, said in found.found) == (State.FAIL, True), found.found
    assert found.remedy


def test_a_console_that_answers_and_one_that_is_not_there(answering: Answers) -> None:
    [there] = run(
        [NAMES["console"]],
        answering({"/console": (200, "text/html; charset=utf-8", "<html>")}),
    )
    [absent] = run([NAMES["console"]], answering({"/console": (404, JSON, "{}")}))
    assert (there.state, absent.state, absent.found) == (
        State.OK,
        State.SKIP,
        "not part of this deployment",
    )


@pytest.mark.parametrize(("days", "state"), [(0, State.FAIL), (7, State.OK), (None, State.SKIP)])
def test_backups_of_a_database(
    days: int | None, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    with mock_aws():
        if days is not None:
            rds("rds").create_db_instance(
                DBInstanceIdentifier="crm", DBInstanceClass="db.t4g.small", Engine="postgres",
                AllocatedStorage=20, MasterUsername="u", MasterUserPassword="p" * 12, BackupRetentionPeriod=days,
            )  # fmt: skip
        [found] = run([NAMES["backups"]], target())
    assert found.state is state, found.found
    [local] = run([NAMES["backups"]], target(local=True))
    assert local.state is State.SKIP


@pytest.mark.parametrize(
    ("environment", "found"),
    [
        ({"DATABASE_URL": "secretsmanager:aetherlink/prod/database-api"}, []),
        ({"DATABASE_URL": "postgresql://host/database"}, ["DATABASE_URL"]),
        ({"OTHER": "amqp://user:password@host"}, ["OTHER"]),
        ({"OTHER": "it says s3cret-text inside"}, ["OTHER"]),
        ({"PUSHGATEWAY_URL": "http://127.0.0.1:9091", "STAGE": "prod"}, []),
        ({"CURSOR_SECRET": ""}, []),
    ],
)
def test_what_a_function_must_not_carry(environment: dict[str, str], found: list[str]) -> None:
    assert leaks(environment, ["s3cret-text", ""]) == found


def test_the_tables_that_forget() -> None:
    found = tables(
        Settings().changed(idempotency={"table": "keys"}, autoheal_store={"table_prefix": "heal"})
    )
    assert found == {
        "keys": True,
        "heal-state": True,
        "heal-actions": True,
        "heal-audit": True,
        "heal-ledger": False,
    }


@pytest.mark.parametrize(
    ("matchers", "labels", "told"),
    [
        (['a="x"'], {"a": "x"}, ["child"]),
        (['a="x"'], {"a": "xy"}, ["root"]),
        (['a=~"x.*"'], {"a": "xy"}, ["child"]),
        (['a!="x"'], {"a": "x"}, ["root"]),
        (['a!~"x|y"'], {"a": "z"}, ["child"]),
        (["a=x", 'b="y"'], {"a": "x"}, ["root"]),
        ([], {}, ["child"]),
    ],
)
def test_who_is_told(matchers: list[str], labels: dict[str, str], told: list[str]) -> None:
    assert (
        receivers(
            {"receiver": "root", "routes": [{"receiver": "child", "matchers": matchers}]},
            labels,
        )
        == told
    )


def test_a_route_that_goes_on_tells_several() -> None:
    routes = [
        {"receiver": "a", "continue": True},
        {"matchers": ['x="1"'], "routes": []},
        {"receiver": "c"},
    ]
    assert receivers({"receiver": "root", "routes": routes}, {}) == ["a", "c"]
    assert receivers({"receiver": "root", "routes": routes}, {"x": "1"}) == ["a", "root"]


def test_what_failed_is_asked_again() -> None:
    asked: list[str] = []

    def late(_: Target) -> str:
        asked.append("late")
        if len(asked) < 2:
            raise Wrong("not yet")
        return "now"

    def absent(_: Target) -> str:
        raise NotHere("none")

    def unreadable(_: Target) -> str:
        empty: dict[str, str] = {}
        return empty["key"]

    checks = [
        Check("late", "", "wait", late),
        Check("absent", "", "", absent),
        Check("odd", "", "look", unreadable),
    ]
    said: list[str] = []
    found = {one.name: one for one in run_until(checks[:2], target(), 30, said.append)}
    assert (found["late"].state, found["late"].found, found["absent"].state) == (
        State.OK,
        "now",
        State.SKIP,
    )
    assert said == ["· waiting for: late"]
    [odd] = run(checks[2:], target())
    assert (odd.state, odd.found, odd.remedy) == (
        State.FAIL,
        "the answer cannot be read: KeyError 'key'",
        "look",
    )
