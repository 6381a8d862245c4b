"""Jobs checked against a model.

They are created, moved, changed and deleted in any order, with stale ETags and repeats.
"""

import json
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
from chalice.test import Client, HTTPResponse
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

import app
from chalicelib.config import Settings
from chalicelib.crm.model import MOVES, JobStatus
from infra.local.emulator import Emulator
from infra.local.postgres import Postgres
from tests.conftest import Compose
from tests.contract.test_lease_store import TABLE, create_table

TITLES = st.sampled_from(["Replace the meter", "Read the meter", "Remove the meter"])
AMOUNTS = st.sampled_from([None, 0, 12_500])
KEYED = st.booleans()
ETAGS = st.sampled_from(["fresh", "stale", "any"])


@dataclass
class Job:
    """The expected state of a job, and the events that its changes should have made."""

    id: str
    title: str
    amount: int | None
    status: JobStatus = JobStatus.OPEN
    version: int = 1
    events: list[str] = field(default_factory=lambda: ["JobCreated"])
    deleted: bool = False


@dataclass(frozen=True)
class Exchange:
    """A request that succeeded under a key, and its response."""

    method: str
    path: str
    body: Any
    headers: dict[str, str]
    response: HTTPResponse


class Jobs(RuleBasedStateMachine):
    """Sends requests, and compares every response with the model."""

    client: Client
    postgres: Postgres

    @initialize()
    def create_account(self) -> None:
        self.tenant = str(uuid4())
        self.jobs = list[Job]()
        self.exchanges = list[Exchange]()
        self.account = json.loads(
            self._send("POST", "accounts", {"name": "Northwind"}, {}, 201).body
        )["id"]

    @rule(title=TITLES, amount=AMOUNTS, keyed=KEYED)
    def create(self, title: str, amount: int | None, keyed: bool) -> None:
        body = {"accountId": self.account, "title": title, "amountCents": amount}
        response = self._send("POST", "jobs", body, self._key(keyed), 201)
        self.jobs.append(Job(response.json_body["id"], title, amount))
        self._check(response, self.jobs[-1])

    @precondition(lambda self: self.jobs)
    @rule(data=st.data(), to=st.sampled_from(JobStatus), keyed=KEYED)
    def move(self, data: st.DataObject, to: JobStatus, keyed: bool) -> None:
        job = data.draw(st.sampled_from(self.jobs))
        legal = to in MOVES[job.status]
        expected = _expected(job, 200 if legal else 409)
        response = self._send(
            "POST", f"jobs/{job.id}/status", {"status": to}, self._key(keyed), expected
        )
        if expected == 409:
            assert set(response.json_body["allowed"]) == MOVES[job.status]
        if expected == 200:
            job.status = to
            job.version = job.version + 1
            job.events.append("JobStatusChanged")
            self._check(response, job)

    @precondition(lambda self: self.jobs)
    @rule(data=st.data(), title=TITLES, amount=AMOUNTS, etag=ETAGS, keyed=KEYED)
    def patch(
        self, data: st.DataObject, title: str, amount: int | None, etag: str, keyed: bool
    ) -> None:
        job = data.draw(st.sampled_from(self.jobs))
        body = {"title": title, "amountCents": amount}
        expected = _expected(job, 412 if etag == "stale" else 200)
        response = self._send(
            "PATCH",
            f"jobs/{job.id}",
            body,
            {**self._key(keyed), **_match(job, etag)},
            expected,
        )
        if expected == 200:
            if (job.title, job.amount) != (title, amount):
                job.title = title
                job.amount = amount
                job.version = job.version + 1
                job.events.append("JobUpdated")
            self._check(response, job)

    @precondition(lambda self: self.jobs)
    @rule(data=st.data(), etag=ETAGS, keyed=KEYED)
    def delete(self, data: st.DataObject, etag: str, keyed: bool) -> None:
        job = data.draw(st.sampled_from(self.jobs))
        expected = _expected(job, 412 if etag == "stale" else 204)
        self._send(
            "DELETE",
            f"jobs/{job.id}",
            None,
            {**self._key(keyed), **_match(job, etag)},
            expected,
        )
        if expected == 204:
            job.deleted = True
            job.events.append("JobDeleted")

    @precondition(lambda self: self.exchanges)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        """The same request under its key has the same response and no effect, at any later time."""
        exchange = data.draw(st.sampled_from(self.exchanges))
        first = exchange.response
        again = self._send(
            exchange.method, exchange.path, exchange.body, exchange.headers, first.status_code
        )
        assert again.body == first.body
        assert again.headers["Idempotent-Replayed"] == "true"
        for name in ("ETag", "Location"):
            assert again.headers.get(name) == first.headers.get(name)

    @precondition(lambda self: self.exchanges)
    @rule(data=st.data())
    def reuse(self, data: st.DataObject) -> None:
        exchange = data.draw(st.sampled_from(self.exchanges))
        other = {**(exchange.body or {}), "another": True}
        self._send(exchange.method, exchange.path, other, exchange.headers, 422)

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def read(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from(self.jobs))
        response = self._send("GET", f"jobs/{job.id}", None, {}, 404 if job.deleted else 200)
        if not job.deleted:
            self._check(response, job)

    def teardown(self) -> None:
        if not hasattr(self, "tenant"):
            return
        items = self._send("GET", "jobs?limit=100", None, {}, 200).json_body["items"]
        assert [item["id"] for item in items] == [job.id for job in self.jobs if not job.deleted]
        query = (
            "SELECT substr(stream_key, 5), array_agg(event_type ORDER BY stream_seq),"
            " max(stream_seq) FROM outbox_event"
            " WHERE tenant_id = $1::uuid AND stream_key LIKE 'job:%' GROUP BY 1"
        )
        with self.postgres.connect() as connection:
            rows = connection.execute_unnamed(query, (self.tenant,)).rows
        assert {key: (list(types), last) for key, types, last in rows} == {
            job.id: (job.events, len(job.events)) for job in self.jobs
        }

    def _key(self, keyed: bool) -> dict[str, str]:
        return {"Idempotency-Key": str(uuid4())} if keyed else {}

    def _send(
        self, method: str, path: str, body: Any, headers: dict[str, str], expected: int
    ) -> HTTPResponse:
        common = {
            "X-Tenant-Id": self.tenant,
            "X-Roles": "sales",
            "Content-Type": "application/json",
        }
        raw = b"" if body is None else json.dumps(body).encode()
        response = self.client.http.request(
            method, f"/api/crm/{path}", headers={**common, **headers}, body=raw
        )
        assert response.status_code == expected, response.body
        if (
            "Idempotency-Key" in headers
            and expected < 300
            and "Idempotent-Replayed" not in response.headers
        ):
            self.exchanges.append(Exchange(method, path, body, headers, response))
        return response

    def _check(self, response: HTTPResponse, job: Job) -> None:
        item = response.json_body
        assert (item["id"], item["title"], item["amountCents"]) == (
            job.id,
            job.title,
            job.amount,
        )
        assert (item["status"], item["version"]) == (job.status, job.version)
        assert response.headers["ETag"] == f'"{job.version}"'


def _expected(job: Job, status: int) -> int:
    return 404 if job.deleted else status


def _match(job: Job, etag: str) -> dict[str, str]:
    return {
        "If-Match": {
            "fresh": f'"{job.version}"',
            "stale": f'"{job.version + 7}"',
            "any": "*",
        }[etag]
    }


@pytest.mark.parametrize("leased", [True, False], ids=["DynamoDB", "PostgreSQL alone"])
def test_jobs_match_the_model_after_any_sequence_of_requests(
    leased: bool,
    database: Settings,
    postgres: Postgres,
    emulator: Emulator,
    composed: Compose,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if leased:
        create_table(emulator.client("dynamodb"))
        credentials = {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        for name, value in {**credentials, "AWS_ENDPOINT_URL_DYNAMODB": emulator.url}.items():
            monkeypatch.setenv(name, value)
    composed(database.changed(idempotency={"table": TABLE if leased else ""}))
    with Client(app.app, stage_name="local") as client:
        Jobs.client = client
        Jobs.postgres = postgres
        run_state_machine_as_test(
            Jobs,
            settings=settings(
                max_examples=40,
                stateful_step_count=30,
                deadline=None,
                phases=(Phase.generate,),  # shrinking takes minutes, and the steps are readable
                suppress_health_check=list(HealthCheck),
            ),
        )
