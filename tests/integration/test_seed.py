"""Sample data through the API: written once, completed where it is not whole, never doubled."""

import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from infra.local import seed
from infra.local.ports import free_port
from infra.local.seed_data import Fields, plans
from infra.local.seed_transport import HttpTransport, Reply, SeedFailed
from infra.paths import ROOT
from tests.integration.api.client import Api
from tests.integration.api.conftest import api as api

ACCOUNTS = 8
PLANNED = list(plans(ACCOUNTS, seed=1))
CONTACTS = sum(len(plan.contacts) for plan in PLANNED)
JOBS = sum(len(plan.jobs) for plan in PLANNED)
MOVES = sum(len(job.moves) for plan in PLANNED for job in plan.jobs)


class InProcess:
    """Sends requests to the app in this process; refuses those after the first `limit`."""

    def __init__(self, api: Api, limit: int | None = None) -> None:
        self._api = api
        self._left = limit

    def __call__(
        self, method: str, path: str, body: Fields | None, headers: Mapping[str, str]
    ) -> Reply:
        if self._left is not None:
            if self._left == 0:
                raise SeedFailed("interrupted")
            self._left -= 1
        answer = self._api(method, path, body, headers=dict(headers))
        names = {name.lower(): value for name, value in answer.headers.items()}
        return Reply(answer.status_code, answer.json_body, names)


def _run(transport: InProcess, **changes: Any) -> Counter[str]:
    arguments = {"accounts": ACCOUNTS, "seed": 1, "workers": 1, **changes}
    return seed.run(transport, say=lambda _: None, **arguments)


def _stored(api: Api, collection: str) -> list[dict[str, Any]]:
    return list(api("GET", f"/api/crm/{collection}?limit=100").json_body["items"])


def test_the_sample_is_in_the_crm_with_jobs_in_their_final_statuses(api: Api) -> None:
    counts = _run(InProcess(api))
    assert counts == {
        "accounts.created": ACCOUNTS,
        "contacts.created": CONTACTS,
        "jobs.created": JOBS,
        "moves.created": MOVES,
    }
    accounts = {account["id"]: account["name"] for account in _stored(api, "accounts")}
    statuses = {
        (accounts[job["accountId"]], job["title"]): job["status"] for job in _stored(api, "jobs")
    }
    for plan in PLANNED:
        for job in plan.jobs:
            end = ("Open", *job.moves)[-1]
            assert statuses[plan.fields["name"], job.fields["title"]] == end


def test_a_second_run_doubles_nothing_and_says_so(api: Api) -> None:
    _run(InProcess(api))
    before = [_stored(api, name) for name in ("accounts", "contacts", "jobs")]
    counts = _run(InProcess(api))
    assert [_stored(api, name) for name in ("accounts", "contacts", "jobs")] == before
    assert not [name for name in counts if name.endswith("created")]
    assert "nothing to do" in seed.summary(counts)


def test_two_runs_at_the_same_time_create_each_row_once(api: Api) -> None:
    """The second does not see the account yet, so the idempotency key alone decides."""
    seeder = seed.Seeder(InProcess(api))
    first = seeder.write(PLANNED[0], account=None)
    second = seeder.write(PLANNED[0], account=None)
    assert second["accounts.present"] == first["accounts.created"] == 1
    assert second["jobs.present"] == first["jobs.created"] == len(PLANNED[0].jobs)
    assert len(_stored(api, "accounts")) == 1


def test_a_run_that_was_interrupted_is_completed_by_the_next(api: Api) -> None:
    with pytest.raises(SeedFailed, match="interrupted"):
        _run(InProcess(api, limit=20))
    _run(InProcess(api))
    assert len(_stored(api, "accounts")) == ACCOUNTS
    assert len(_stored(api, "contacts")) == CONTACTS
    assert len(_stored(api, "jobs")) == JOBS


def test_more_accounts_are_added_to_those_that_exist(api: Api) -> None:
    _run(InProcess(api), accounts=2)
    counts = _run(InProcess(api), accounts=3)
    assert (counts["accounts.present"], counts["accounts.created"]) == (2, 1)


def test_a_refused_request_names_the_reason_and_the_remedy(api: Api) -> None:
    api.roles = "ops"
    with pytest.raises(SeedFailed, match=r"403 .*roles.*--seed"):
        _run(InProcess(api))


def test_an_api_that_does_not_answer_is_an_error_of_one_line_with_the_remedy() -> None:
    transport = HttpTransport(f"http://127.0.0.1:{free_port()}", "token", workers=1)
    with pytest.raises(SeedFailed, match="make up") as failed:
        transport("GET", "/api/crm/accounts", None, {})
    assert "\n" not in str(failed.value)


def test_without_a_stack_the_command_says_what_to_do(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "infra.local.seed", "--home", str(tmp_path / uuid4().hex)]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert process.returncode == 1
    assert process.stderr == "✗ nothing is deployed: run `make up`\n"


@pytest.mark.parametrize("wrong", [["--accounts", "0"], ["--workers", "99"], ["--accounts", "x"]])
def test_arguments_out_of_range_are_refused(wrong: list[str]) -> None:
    command = [sys.executable, "-m", "infra.local.seed", *wrong]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert process.returncode == 2
    assert "Traceback" not in process.stderr
