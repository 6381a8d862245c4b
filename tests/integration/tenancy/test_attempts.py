"""Thousands of attempts to reach another tenant through the API."""

import json
import multiprocessing
import os
import random
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from chalice.test import HTTPResponse

from chalicelib import bootstrap
from chalicelib.bootstrap import container
from chalicelib.bootstrap.container import Container
from infra.local.postgres import Postgres
from tests.integration.tenancy import attempts
from tests.integration.tenancy.attempts import KINDS, Attempt, Kind
from tests.integration.tenancy.world import PARKED_STREAMS, PENDING_EVENTS, Tenant, Tenants

ATTEMPTS = 10_000
PROCESSES = 4
"""As many requests at once; each waits for the database most of the time."""

ORDER = {
    "account": "id",
    "contact": "id",
    "job": "id",
    "outbox_event": "id",
    "outbox_stream": "stream_key",
    "idempotent_request": "endpoint, key_hash",
}


_tenants: Tenants | None = None


def _snapshot(postgres: Postgres) -> list[Any]:
    """Return a hash of every row that the tenants have, as the owner of the tables sees them."""
    with postgres.connect() as connection:
        return [
            connection.execute_simple(
                f"SELECT md5(t::text) FROM {table} t ORDER BY tenant_id, {order}"
            ).rows
            for table, order in ORDER.items()
        ]


def _check(
    kind: Kind, attempt: Attempt, response: HTTPResponse, me: Tenant, others: list[Tenant]
) -> None:
    """Fail if the response shows anything of the other tenants."""
    assert response.status_code == attempt.expected
    text = response.body.decode() + repr(dict(response.headers))
    assert not [other for other in others if other.marker in text]
    if kind is not attempts.send_tenant_header:
        assert not [other for other in others if str(other.id) in text]
    if kind is attempts.list_entities:
        assert {item["tenantId"] for item in response.json_body["items"]} <= {str(me.id)}
    if kind is attempts.view_outbox:
        view = response.json_body
        if "pending" in view:
            counts = (view["pending"], view["parkedStreams"])
            assert counts == (PENDING_EVENTS, PARKED_STREAMS)
        streams = view.get("items", view.get("parked"))
        assert {stream["streamKey"] for stream in streams} <= set(me.streams)


def _run(tenants: Tenants, seed: int, count: int) -> Counter[str]:
    """Make `count` attempts, check each, and return how many there were of each kind."""
    draw = random.Random(seed)
    counts = Counter[str]()
    for _ in range(count):
        me, victim = draw.sample(tenants.all, 2)
        kind = draw.choice(KINDS)
        attempt = kind(draw, me, victim)
        response = tenants.send(me, attempt.method, attempt.path, attempt.body, attempt.headers)
        try:
            _check(kind, attempt, response, me, [other for other in tenants.all if other is not me])
        except AssertionError as error:
            raise AssertionError(
                f"seed {seed}: {attempt} -> {response.status_code} {response.body.decode()[:2_000]}"
                f" {dict(response.headers)}"
            ) from error
        counts[kind.__name__] += 1
    return counts


def _start_process(tenants: Tenants) -> None:
    """Give a new process database connections of its own."""
    global _tenants
    _tenants = tenants
    parent = container()
    bootstrap.use(Container(parent.settings, parent.clock))


def _run_share(seed: int, count: int) -> Counter[str]:
    assert _tenants is not None
    return _run(_tenants, seed, count)


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_ten_thousand_attempts_reach_nothing(tenants: Tenants, postgres: Postgres) -> None:
    seed = int(os.environ.get("TENANCY_SEED", random.SystemRandom().randrange(2**32)))
    before = _snapshot(postgres)
    with ProcessPoolExecutor(
        PROCESSES,
        mp_context=multiprocessing.get_context("fork"),
        initializer=_start_process,
        initargs=(tenants,),
    ) as pool:
        shares = [
            pool.submit(_run_share, seed + number, ATTEMPTS // PROCESSES)
            for number in range(PROCESSES)
        ]
        counts = sum((share.result() for share in shares), Counter[str]())
    assert counts.total() == ATTEMPTS
    assert set(counts) == {kind.__name__ for kind in KINDS}
    assert _snapshot(postgres) == before, f"TENANCY_SEED={seed}: a row changed"


@pytest.mark.parametrize(
    "kind",
    [
        attempts.read_entity,
        attempts.change_entity,
        attempts.delete_entity,
        attempts.move_job,
        attempts.create_with_reference,
        attempts.unpark_stream,
        attempts.read_replay,
    ],
)
def test_an_id_of_another_tenant_and_an_unknown_id_look_the_same(
    tenants: Tenants, kind: Kind
) -> None:
    me, victim = tenants.all[:2]
    attempt = kind(random.Random(1), me, victim)
    real = json.dumps([attempt.path, attempt.body])
    unknown = real
    for name in {*victim.streams, victim.replay}:
        unknown = unknown.replace(name.rpartition(":")[2], str(uuid4()))
    assert unknown != real

    def outcome(request: str) -> Any:
        path, body = json.loads(request)
        response = tenants.send(me, attempt.method, path, body, attempt.headers)
        problem = json.loads(response.body)
        for name in ("requestId", "instance", "detail"):
            del problem[name]
        return response.status_code, problem, sorted(response.headers)

    assert outcome(real) == outcome(unknown)
