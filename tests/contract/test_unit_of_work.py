"""What any `UnitOfWork` does; the fake and PostgreSQL pass the same suite."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from chalicelib.adapters.postgres.unit_of_work import PostgresUnitOfWork, engine
from chalicelib.config import Settings
from chalicelib.crm import events, use_cases
from chalicelib.crm.commands import (
    ChangeAccount,
    ChangeContact,
    ChangeJob,
    CreateAccount,
    CreateContact,
    CreateJob,
    MoveJob,
)
from chalicelib.crm.model import JobStatus
from chalicelib.crm.ports import UnitOfWork
from chalicelib.security.secrets import plain
from chalicelib.shared.clock import SystemClock
from chalicelib.shared.errors import Conflict, NotFound, PreconditionFailed, Unprocessable
from chalicelib.shared.paging import Position, Query
from infra.local.postgres import Postgres
from tests.builders import crm as builders
from tests.fakes.clock import START
from tests.fakes.unit_of_work import FakeUnitOfWork, Memory

CLOCK = SystemClock()


class Suite:
    """One kind of unit of work, and how to see what it told."""

    def __init__(
        self,
        begin: Callable[[UUID], UnitOfWork],
        told: Callable[[UUID], list[str]],
        tenant: UUID,
    ) -> None:
        self.begin_for = begin
        self.told_of = told
        self.tenant = tenant

    def begin(self) -> UnitOfWork:
        return self.begin_for(self.tenant)

    def told(self) -> list[str]:
        return self.told_of(self.tenant)


@pytest.fixture(params=["fake", "postgres"])
def suite(request: pytest.FixtureRequest, tenant: UUID) -> Iterator[Suite]:
    if request.param == "fake":
        memory = Memory()
        told = lambda who: [event.type for event in memory.events if event.tenant_id == who]
        yield Suite(lambda who: FakeUnitOfWork(memory, who), told, tenant)
        return
    settings: Settings = request.getfixturevalue("database")
    server: Postgres = request.getfixturevalue("postgres")
    database = engine(plain(settings.database.url), settings.database)

    def read(who: UUID) -> list[str]:
        with server.connect() as connection:
            query = "SELECT event_type FROM outbox_event WHERE tenant_id = $1::uuid ORDER BY id"
            return [row[0] for row in connection.execute_unnamed(query, (str(who),)).rows]

    yield Suite(lambda who: PostgresUnitOfWork(database, settings.outbox, who), read, tenant)
    database.dispose()


def _account(suite: Suite, **values: Any) -> Any:
    return use_cases.create_account(CreateAccount(name="Northwind", **values), suite.begin(), CLOCK)


def _contact(suite: Suite, **values: Any) -> Any:
    return use_cases.create_contact(
        CreateContact(**{"name": "Ada", **values}), suite.begin(), CLOCK
    )


def _job(suite: Suite, account_id: UUID, **values: Any) -> Any:
    return use_cases.create_job(
        CreateJob(account_id=account_id, title="Meter", **values), suite.begin(), CLOCK
    )


def _read(suite: Suite, collection: str, entity_id: UUID) -> Any:
    uow = suite.begin()
    return use_cases.read(uow, getattr(uow, collection), entity_id)


def test_what_was_created_is_read_back_and_told(suite: Suite) -> None:
    account = _account(suite, industry="Utilities")
    contact = _contact(suite, account_id=account.id, email="ada@example.test")
    job = _job(suite, account.id, contact_id=contact.id, scheduled_for=START, amount_cents=500)
    assert _read(suite, "accounts", account.id) == account
    assert _read(suite, "contacts", contact.id) == contact
    assert _read(suite, "jobs", job.id) == job
    assert suite.told() == ["AccountCreated", "ContactCreated", "JobCreated"]


def test_what_was_not_committed_is_gone_with_its_events(suite: Suite) -> None:
    account = builders.account(suite.tenant)
    with suite.begin() as uow:
        uow.accounts.add(account)
        uow.record(events.created(account))
    with pytest.raises(NotFound):
        _read(suite, "accounts", account.id)
    assert suite.told() == []


def test_another_tenant_sees_changes_and_deletes_nothing(suite: Suite) -> None:
    account = _account(suite)
    stranger = Suite(suite.begin_for, suite.told_of, uuid4())
    with pytest.raises(NotFound):
        _read(stranger, "accounts", account.id)
    with pytest.raises(NotFound):
        use_cases.change_account(account.id, ChangeAccount(name="x"), None, stranger.begin(), CLOCK)
    with pytest.raises(NotFound):
        use_cases.delete_account(account.id, None, stranger.begin(), CLOCK)
    with pytest.raises(Unprocessable):
        _job(stranger, account.id)
    uow = stranger.begin()
    assert use_cases.find(uow, uow.accounts, Query()) == []
    assert stranger.told() == []


def test_a_change_makes_the_next_version_and_tells_which_fields(suite: Suite) -> None:
    account = _account(suite)
    changed = use_cases.change_account(
        account.id, ChangeAccount(phone="+49 30 1"), 1, suite.begin(), CLOCK
    )
    assert (changed.version, changed.phone) == (2, "+49 30 1")
    assert _read(suite, "accounts", account.id) == changed
    assert suite.told() == ["AccountCreated", "AccountUpdated"]


def test_a_change_that_changes_nothing_tells_nothing(suite: Suite) -> None:
    account = _account(suite)
    same = use_cases.change_account(
        account.id, ChangeAccount(name="Northwind"), 1, suite.begin(), CLOCK
    )
    assert same.version == 1
    assert suite.told() == ["AccountCreated"]


def test_a_stale_change_is_refused_and_says_the_present_version(suite: Suite) -> None:
    account = _account(suite)
    use_cases.change_account(account.id, ChangeAccount(name="A"), 1, suite.begin(), CLOCK)
    with pytest.raises(PreconditionFailed) as refused:
        use_cases.change_account(account.id, ChangeAccount(name="B"), 1, suite.begin(), CLOCK)
    assert refused.value.headers["ETag"] == '"2"'


def test_an_email_is_unique_within_the_tenant_whatever_its_case(suite: Suite) -> None:
    _contact(suite, email="Ada@Example.test")
    with pytest.raises(Conflict) as refused:
        _contact(suite, email="ada@example.TEST")
    assert refused.value.errors[0].field == "email"
    _contact(Suite(suite.begin_for, suite.told_of, uuid4()), email="ada@example.test")
    other = _contact(suite, email="eve@example.test")
    with pytest.raises(Conflict):
        use_cases.change_contact(
            other.id, ChangeContact(email="ADA@example.test"), None, suite.begin(), CLOCK
        )


@pytest.mark.parametrize("field", ["account_id", "contact_id"])
def test_a_reference_to_nothing_is_refused_by_name(suite: Suite, field: str) -> None:
    job = _job(suite, _account(suite).id)
    with pytest.raises(Unprocessable) as refused:
        use_cases.change_job(job.id, ChangeJob(**{field: uuid4()}), None, suite.begin(), CLOCK)
    assert (
        refused.value.errors[0].field
        == {"account_id": "accountId", "contact_id": "contactId"}[field]
    )


def test_a_job_moves_and_tells_from_where_to_where(suite: Suite) -> None:
    job = _job(suite, _account(suite).id)
    moved = use_cases.move_job(
        job.id, MoveJob(status=JobStatus.SCHEDULED), None, "ada", suite.begin(), CLOCK
    )
    assert (moved.status, moved.version) == (JobStatus.SCHEDULED, 2)
    with pytest.raises(Conflict):
        use_cases.move_job(
            job.id, MoveJob(status=JobStatus.OPEN), None, "ada", suite.begin(), CLOCK
        )
    assert suite.told()[-1] == "JobStatusChanged"


def test_an_account_with_jobs_stays(suite: Suite) -> None:
    account = _account(suite)
    job = _job(suite, account.id)
    with pytest.raises(Conflict):
        use_cases.delete_account(account.id, None, suite.begin(), CLOCK)
    use_cases.delete_job(job.id, 1, suite.begin(), CLOCK)
    use_cases.delete_account(account.id, 1, suite.begin(), CLOCK)
    assert suite.told() == ["AccountCreated", "JobCreated", "JobDeleted", "AccountDeleted"]


def test_what_referred_to_the_deleted_is_detached_and_told_of(suite: Suite) -> None:
    account = _account(suite)
    contact = _contact(suite, account_id=account.id)
    other = _account(suite)
    job = _job(suite, other.id, contact_id=contact.id)
    use_cases.delete_account(account.id, None, suite.begin(), CLOCK)
    assert _read(suite, "contacts", contact.id).account_id is None
    use_cases.delete_contact(contact.id, None, suite.begin(), CLOCK)
    assert _read(suite, "jobs", job.id).contact_id is None
    assert sorted(suite.told()[4:]) == [
        "AccountDeleted",
        "ContactDeleted",
        "ContactUpdated",
        "JobUpdated",
    ]


def test_a_list_is_paged_by_keyset_in_both_directions(suite: Suite) -> None:
    made = [
        builders.account(suite.tenant, name=f"A{n}", created_at=START + timedelta(seconds=n // 2))
        for n in range(7)
    ]
    with suite.begin() as uow:
        for account in made:
            uow.accounts.add(account)
        uow.commit()
    ordered = sorted(made, key=lambda one: (one.created_at, one.id))
    for descending in (False, True):
        seen: list[Any] = []
        after = None
        while True:
            uow = suite.begin()
            page = use_cases.find(
                uow, uow.accounts, Query(limit=3, descending=descending, after=after)
            )
            seen += page[:3]
            if len(page) <= 3:
                break
            after = Position(page[2].created_at, page[2].id)
        assert seen == (ordered[::-1] if descending else ordered)


def test_a_list_is_filtered_and_searched(suite: Suite) -> None:
    account = _account(suite)
    ada = _contact(suite, account_id=account.id, email="Ada@x.test", title="100%_sure")
    eve = _contact(suite, name="Eve")
    for query, expected in (
        (Query(filters={"account_id": str(account.id)}), [ada]),
        (Query(filters={"email": "ADA@X.test"}), [ada]),
        (Query(search="EV"), [eve]),
        (Query(search="%_s"), [ada]),
        (Query(search="a%a"), []),
        (Query(search="nobody"), []),
    ):
        uow = suite.begin()
        assert use_cases.find(uow, uow.contacts, query) == expected, query
