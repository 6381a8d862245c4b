from dataclasses import replace
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
    """A `Once` on fakes, with a clock to turn."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.leases = FakeLeases(lambda: self.now)
        self.ledger = FakeAnswerStore()
        self.meter = FakeMeter()
        self.once = IdempotentRunner(self.leases, self.ledger, self.meter)
        self.key = IdempotencyKey(uuid4(), "POST /jobs", "k", "h")

    def run(
        self, key: IdempotencyKey | None = None, answer: StoredAnswer = ANSWER
    ) -> tuple[StoredAnswer, bool]:
        chosen = key or self.key
        return self.once.run(chosen, lambda: self.ledger.business(chosen, answer), lease_seconds=28)


@pytest.fixture
def world() -> World:
    return World()


def test_the_second_time_the_answer_is_given_again_and_nothing_is_done(
    world: World,
) -> None:
    assert world.run() == (ANSWER, False)
    assert world.run() == (ANSWER, True)
    assert world.ledger.effects == ["k"]
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


def test_while_one_is_at_work_others_are_told_to_come_back(world: World) -> None:
    def at_work() -> StoredAnswer:
        with pytest.raises(Conflict) as refused:
            world.run()
        assert (refused.value.code, refused.value.headers["Retry-After"]) == (
            "request-in-progress",
            "5",
        )
        with pytest.raises(Unprocessable):
            world.run(replace(world.key, request_hash="other"))
        return world.ledger.business(world.key, ANSWER)

    assert world.once.run(world.key, at_work, lease_seconds=28) == (ANSWER, False)


@pytest.mark.parametrize(
    "problem",
    [NotFound("no"), AetherLinkError("oops"), RuntimeError("bug"), KeyboardInterrupt()],
)
def test_a_failure_is_never_kept_and_a_retry_runs_at_once(
    world: World, problem: BaseException
) -> None:
    def fail() -> StoredAnswer:
        raise problem

    with pytest.raises(type(problem)):
        world.once.run(world.key, fail, lease_seconds=28)
    assert world.run() == (ANSWER, False)


def test_an_attempt_that_committed_and_died_is_found_in_the_ledger(world: World) -> None:
    world.ledger.business(world.key, ANSWER)
    assert world.run() == (ANSWER, True)
    assert world.ledger.effects == ["k"]


def test_the_traces_of_a_dead_attempt_are_not_taken_for_an_error(world: World) -> None:
    world.ledger.business(world.key, ANSWER)

    def meets_its_own_row() -> StoredAnswer:
        raise Conflict("the email is taken", code="already-taken")

    assert world.once.run(world.key, meets_its_own_row, lease_seconds=28) == (ANSWER, True)


def test_with_the_lease_store_away_the_ledger_still_decides(world: World) -> None:
    world.leases.down = True
    assert world.run() == (ANSWER, False)
    assert world.run() == (ANSWER, True)
    assert world.ledger.effects == ["k"]
    assert world.meter.counts["idempotency_fallbacks_total"] == 2


def test_a_lease_store_that_goes_away_in_between_does_no_harm(world: World) -> None:
    def then_away() -> StoredAnswer:
        world.leases.down = True
        return world.ledger.business(world.key, ANSWER)

    assert world.once.run(world.key, then_away, lease_seconds=28) == (ANSWER, False)
    world.leases.down = False
    with pytest.raises(Conflict):
        world.run()
    world.now += 29
    assert world.run() == (ANSWER, True)


def test_a_large_answer_stays_in_the_ledger(world: World) -> None:
    large = replace(ANSWER, body=b"x" * (MAX_LEASED_BODY + 1))
    world.run(answer=large)
    [record] = world.leases.records.values()
    assert (record.done, record.answer) == (True, None)
    assert world.run() == (large, True)


def test_after_a_day_it_runs_anew(world: World) -> None:
    world.run()
    world.now += 24 * 3_600 + 1
    world.ledger.rows.clear()
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


def test_what_is_asked_for_tells_requests_apart() -> None:
    hashes = {
        hash_request("/jobs", {}, b"{}"),
        hash_request("/jobs/1", {}, b"{}"),
        hash_request("/jobs", {"a": "1"}, b"{}"),
        hash_request("/jobs", {}, b"{ }"),
    }
    assert len(hashes) == 4
