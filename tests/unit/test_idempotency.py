"""Running a request once for its key, on fakes of both stores."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from chalicelib.idempotency.key import IdempotencyKey, hash_request, parse_key
from chalicelib.idempotency.ports import StoredAnswer
from chalicelib.idempotency.runner import MAX_LEASED_BODY, IdempotentRunner
from chalicelib.shared.errors import (
    AetherLinkError,
    Conflict,
    Invalid,
    NotFound,
    Unprocessable,
)
from tests.fakes.answer_store import FakeAnswerStore
from tests.fakes.leases import FakeLeases
from tests.fakes.meter import FakeMeter

ANSWER = StoredAnswer(201, b'{"id":1}', {"ETag": '"1"', "Content-Type": "application/json"})


class World:
    """A runner on fakes, with a clock that tests set."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.leases = FakeLeases(lambda: self.now)
        self.answers = FakeAnswerStore()
        self.meter = FakeMeter()
        self.runner = IdempotentRunner(self.leases, self.answers, self.meter)
        self.key = IdempotencyKey(uuid4(), "POST /jobs", "k", "h")

    def run(
        self, key: IdempotencyKey | None = None, answer: StoredAnswer = ANSWER
    ) -> tuple[StoredAnswer, bool]:
        key = key or self.key
        return self.run_handler(lambda: self.answers.do_business(key, answer), key)

    def run_handler(
        self, handler: Callable[[], StoredAnswer], key: IdempotencyKey | None = None
    ) -> tuple[StoredAnswer, bool]:
        return self.runner.run(key or self.key, handler, lease_seconds=28)


@pytest.fixture
def world() -> World:
    return World()


def test_a_repeated_request_gets_the_same_answer_and_does_nothing(
    world: World,
) -> None:
    assert world.run() == (ANSWER, False)
    assert world.run() == (ANSWER, True)
    assert world.answers.effects == ["k"]
    assert world.meter.counts["idempotent_replays_total"] == 1


def test_another_request_under_the_same_key_is_refused(world: World) -> None:
    world.run()
    with pytest.raises(Unprocessable) as refused:
        world.run(replace(world.key, request_hash="other"))
    assert refused.value.code == "idempotency-key-reused"


@pytest.mark.parametrize(
    "other", [{"tenant_id": uuid4()}, {"endpoint": "POST /accounts"}, {"key": "l"}]
)
def test_another_tenant_endpoint_or_key_is_independent(
    world: World, other: dict[str, object]
) -> None:
    world.run()
    assert world.run(replace(world.key, **other))[1] is False  # type: ignore[arg-type]


def test_a_request_is_refused_while_the_first_is_in_progress(world: World) -> None:
    def in_progress() -> StoredAnswer:
        with pytest.raises(Conflict) as refused:
            world.run()
        assert (refused.value.code, refused.value.headers["Retry-After"]) == (
            "request-in-progress",
            "5",
        )
        with pytest.raises(Unprocessable):
            world.run(replace(world.key, request_hash="other"))
        return world.answers.do_business(world.key, ANSWER)

    assert world.run_handler(in_progress) == (ANSWER, False)


@pytest.mark.parametrize(
    "problem",
    [NotFound("no"), AetherLinkError("oops"), RuntimeError("bug"), KeyboardInterrupt()],
)
def test_a_failure_is_not_kept_and_a_retry_runs_at_once(
    world: World, problem: BaseException
) -> None:
    def fail() -> StoredAnswer:
        raise problem

    with pytest.raises(type(problem)):
        world.run_handler(fail)
    assert world.run() == (ANSWER, False)


def test_the_answer_of_an_attempt_that_committed_and_died_is_found(world: World) -> None:
    world.answers.do_business(world.key, ANSWER)
    assert world.run() == (ANSWER, True)
    assert world.answers.effects == ["k"]


def test_the_rows_of_an_attempt_that_died_are_not_an_error(world: World) -> None:
    world.answers.do_business(world.key, ANSWER)

    def violate_own_row() -> StoredAnswer:
        raise Conflict("the email is taken", code="already-taken")

    assert world.run_handler(violate_own_row) == (ANSWER, True)


def test_the_answer_store_decides_while_the_lease_store_is_down(world: World) -> None:
    world.leases.down = True
    assert world.run() == (ANSWER, False)
    assert world.run() == (ANSWER, True)
    assert world.answers.effects == ["k"]
    assert world.meter.counts["idempotency_fallbacks_total"] == 2


def test_a_lease_store_that_fails_in_between_does_no_harm(world: World) -> None:
    def then_down() -> StoredAnswer:
        world.leases.down = True
        return world.answers.do_business(world.key, ANSWER)

    assert world.run_handler(then_down) == (ANSWER, False)
    world.leases.down = False
    with pytest.raises(Conflict):
        world.run()
    world.now += 29
    assert world.run() == (ANSWER, True)


def test_only_the_answer_store_keeps_a_large_answer(world: World) -> None:
    large = replace(ANSWER, body=b"x" * (MAX_LEASED_BODY + 1))
    world.run(answer=large)
    [record] = world.leases.records.values()
    assert (record.done, record.answer) == (True, None)
    assert world.run() == (large, True)


def test_a_request_runs_again_after_a_day(world: World) -> None:
    world.run()
    world.now += 24 * 3_600 + 1
    world.answers.rows.clear()
    assert world.run() == (ANSWER, False)


@pytest.mark.parametrize(
    ("header", "key"),
    [("abc", "abc"), ('"a b"', "a b"), (" x ", "x"), ("~" * 255, "~" * 255)],
)
def test_a_key_may_be_bare_or_quoted(header: str, key: str) -> None:
    assert parse_key(header) == key


@pytest.mark.parametrize("header", ["", '""', "a b", "é", "x" * 256, '"a', "a\nb", '"a"b"'])
def test_a_malformed_key_is_refused(header: str) -> None:
    with pytest.raises(Invalid):
        parse_key(header)


HASHED: dict[str, Any] = {
    "method": "POST",
    "path": "/jobs",
    "query": {"a": ("1", "2")},
    "headers": {"content-type": "application/json"},
    "body": b"{}",
}


@pytest.mark.parametrize(
    "other",
    [
        {"method": "PATCH"},
        {"path": "/jobs/1"},
        {"path": "/jobs\n"},
        {"query": {}},
        {"query": {"a": ("1",)}},
        {"query": {"a": ("2", "1")}},
        {"query": {"a": ("1", "2", "2")}},
        {"query": {"a": ("1",), "b": ("2",)}},
        {"query": {"a": ("1\nb=2",)}},
        {"query": {"a": ("12",)}},
        {"query": {"a=1": ("2",)}},
        {"headers": {}},
        {"headers": {"content-type": "application/merge-patch+json"}},
        {"headers": {"content-type": ""}},
        {"headers": {**HASHED["headers"], "if-match": '"1"'}},
        {"headers": {**HASHED["headers"], "if-match": ""}},
        {"headers": {**HASHED["headers"], "if-none-match": '"1"'}},
        {"body": b"{ }"},
        {"body": b"\n{}"},
        {"body": b"\xff"},
    ],
)
def test_the_hash_covers_all_that_a_request_states(other: dict[str, Any]) -> None:
    assert hash_request(**{**HASHED, **other}) != hash_request(**HASHED)


def test_no_two_queries_have_the_same_hash() -> None:
    queries: list[dict[str, tuple[str, ...]]] = [
        {"a": ("1\nb=2",)},
        {"a": ("1",), "b": ("2",)},
        {"a": ("1", "b", "2")},
        {"a": ("1", "b=2")},
        {"a": ("1:b",), "2": ()},
    ]
    hashes = {hash_request(**{**HASHED, "query": query}) for query in queries}
    assert len(hashes) == len(queries)


def test_a_header_that_decides_nothing_is_not_hashed() -> None:
    headers = {**HASHED["headers"], "x-request-id": "12345678"}
    assert hash_request(**{**HASHED, "headers": headers}) == hash_request(**HASHED)
