"""Checks of readiness against values and answers that the tests provide."""

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

NAMES = {check.name: check for check in CHECKS}
JSON = "application/json"
Answers = Callable[..., Target]


def rds(service: str) -> Any:
    return boto3.client(service, region_name="eu-central-1")  # type: ignore[call-overload]


@pytest.fixture
def answering() -> Iterator[Answers]:
    """Start an API from answers by the start of the path: status, type and body."""
    servers = []

    def start(answers: dict[str, tuple[int, str, str]]) -> Target:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, content_type, body = next(
                    answer for start, answer in answers.items() if self.path.startswith(start)
                )
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_: object) -> None:
                pass

        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return target(f"http://127.0.0.1:{servers[-1].server_port}")

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def target(api: str = "", **more: Any) -> Target:
    return Target(api, "token", "", "", "", Settings(), rds, **more)


@pytest.mark.parametrize(
    ("name", "answers", "message"),
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
            "the database cannot be reached",
        ),
    ],
)
def test_a_wrong_answer_fails_its_check(
    answering: Answers, name: str, answers: dict[str, tuple[int, str, str]], message: str
) -> None:
    [finding] = run([NAMES[name]], answering(answers))
    assert (finding.state, message in finding.found) == (State.FAIL, True), finding.found
    assert finding.remedy


def test_a_console_passes_and_an_absent_one_is_skipped(answering: Answers) -> None:
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
def test_a_database_must_keep_backups(
    days: int | None, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    with mock_aws():
        if days is not None:
            rds("rds").create_db_instance(
                DBInstanceIdentifier="crm",
                DBInstanceClass="db.t4g.small",
                Engine="postgres",
                AllocatedStorage=20,
                MasterUsername="u",
                MasterUserPassword="p" * 12,
                BackupRetentionPeriod=days,
            )
        [finding] = run([NAMES["backups"]], target())
    assert finding.state is state, finding.found
    [local] = run([NAMES["backups"]], target(local=True))
    assert local.state is State.SKIP


@pytest.mark.parametrize(
    ("environment", "leaking"),
    [
        ({"DATABASE_URL": "secretsmanager:aetherlink/prod/database-api"}, []),
        ({"DATABASE_URL": "postgresql://host/database"}, ["DATABASE_URL"]),
        ({"OTHER": "amqp://user:password@host"}, ["OTHER"]),
        ({"OTHER": "it says s3cret-text inside"}, ["OTHER"]),
        ({"PUSHGATEWAY_URL": "http://127.0.0.1:9091", "STAGE": "prod"}, []),
        ({"CURSOR_SECRET": ""}, []),
    ],
)
def test_a_secret_in_a_function_s_environment_is_reported(
    environment: dict[str, str], leaking: list[str]
) -> None:
    assert leaks(environment, ["s3cret-text", ""]) == leaking


def test_all_tables_expire_except_the_totals() -> None:
    expiring = tables(
        Settings().changed(idempotency={"table": "keys"}, autoheal_store={"table_prefix": "heal"})
    )
    assert expiring == {
        "keys": True,
        "heal-state": True,
        "heal-actions": True,
        "heal-audit": True,
        "heal-ledger": False,
    }


@pytest.mark.parametrize(
    ("matchers", "labels", "expected"),
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
def test_an_alert_goes_to_the_receivers_of_its_route(
    matchers: list[str], labels: dict[str, str], expected: list[str]
) -> None:
    assert (
        receivers(
            {"receiver": "root", "routes": [{"receiver": "child", "matchers": matchers}]},
            labels,
        )
        == expected
    )


def test_a_route_that_continues_has_several_receivers() -> None:
    routes = [
        {"receiver": "a", "continue": True},
        {"matchers": ['x="1"'], "routes": []},
        {"receiver": "c"},
    ]
    assert receivers({"receiver": "root", "routes": routes}, {}) == ["a", "c"]
    assert receivers({"receiver": "root", "routes": routes}, {"x": "1"}) == ["a", "root"]


def test_a_failed_check_is_repeated() -> None:
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
    lines: list[str] = []
    findings = {
        finding.name: finding for finding in run_until(checks[:2], target(), 30, lines.append)
    }
    assert (findings["late"].state, findings["late"].found, findings["absent"].state) == (
        State.OK,
        "now",
        State.SKIP,
    )
    assert lines == ["· waiting for: late"]
    [odd] = run(checks[2:], target())
    assert (odd.state, odd.found, odd.remedy) == (
        State.FAIL,
        "the response cannot be parsed: KeyError 'key'",
        "look",
    )
