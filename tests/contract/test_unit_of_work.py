"""What every `UnitOfWork` does. The fake and PostgreSQL pass the same suite."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid4

import pytest

from chalicelib.adapters.postgres.unit_of_work import PostgresUnitOfWork, engine
from chalicelib.config import Settings
from chalicelib.crm import changes, use_cases
from chalicelib.crm.commands import (
    ChangeAccount,
    ChangeContact,
    ChangeJob,
    CreateAccount,
    CreateContact,
    CreateJob,
    MoveJob,
    Patch,
)
from chalicelib.crm.entities import ACCOUNT, CONTACT, JOB, EntityType
from chalicelib.crm.model import Account, Contact, Entity, Job, JobStatus
from chalicelib.crm.ports import UnitOfWork
from chalicelib.security.secrets import plain
from chalicelib.shared.clock import SystemClock
from chalicelib.shared.errors import Conflict, NotFound, PreconditionFailed, Unprocessable
from chalicelib.shared.paging import Position, Query
from chalicelib.shared.preconditions import NO_PRECONDITION, EntityTags, Precondition
from infra.local.postgres import Postgres
from tests.builders import crm as builders
from tests.fakes.clock import START
from tests.fakes.unit_of_work import FakeUnitOfWork, Memory

E = TypeVar("E", bound=Entity)

CLOCK = SystemClock()


class Suite:
    """One implementation of the unit of work, and how to see the events that it committed."""

    def __init__(
        self,
        begin_for: Callable[[UUID], UnitOfWork],
        events_of: Callable[[UUID], list[str]],
        tenant: UUID,
    ) -> None:
        self._begin_for = begin_for
        self._events_of = events_of
        self._tenant = tenant

    @property
    def tenant(self) -> UUID:
        return self._tenant

    def of_another_tenant(self) -> "Suite":
        return Suite(self._begin_for, self._events_of, uuid4())

    def begin(self) -> UnitOfWork:
        return self._begin_for(self._tenant)

    def events(self) -> list[str]:
        return self._events_of(self._tenant)

    def create_account(self, **values: Any) -> Account:
        command = CreateAccount(**{"name": "Northwind", **values})
        return use_cases.create(ACCOUNT, command, self.begin(), CLOCK)

    def create_contact(self, **values: Any) -> Contact:
        command = CreateContact(**{"name": "Ada", **values})
        return use_cases.create(CONTACT, command, self.begin(), CLOCK)

    def create_job(self, account_id: UUID, **values: Any) -> Job:
        command = CreateJob(**{"account_id": account_id, "title": "Meter", **values})
        return use_cases.create(JOB, command, self.begin(), CLOCK)

    def read(self, kind: EntityType[E], entity_id: UUID) -> E:
        return use_cases.read(kind, entity_id, self.begin())

    def find(self, kind: EntityType[E], query: Query) -> list[E]:
        return use_cases.find(kind, query, self.begin())

    def change(
        self, kind: EntityType[E], entity_id: UUID, patch: Patch, expected: int | None = None
    ) -> E:
        return use_cases.change(kind, entity_id, patch, _at(expected), self.begin(), CLOCK)

    def move(self, job: Job, status: JobStatus) -> Job:
        command = MoveJob(status=status)
        return use_cases.move_job(job.id, command, NO_PRECONDITION, "ada", self.begin(), CLOCK)

    def delete(self, kind: EntityType[Any], entity_id: UUID, expected: int | None = None) -> None:
        use_cases.delete(kind, entity_id, _at(expected), self.begin(), CLOCK)


def _at(version: int | None) -> Precondition:
    """Return the precondition that the version is `version`; None for any."""
    if version is None:
        return NO_PRECONDITION
    return Precondition(if_match=EntityTags(strong=frozenset({str(version)})))


@pytest.fixture(params=["fake", "postgres"])
def suite(request: pytest.FixtureRequest, tenant: UUID) -> Iterator[Suite]:
    if request.param == "fake":
        memory = Memory()
        yield Suite(
            lambda owner: FakeUnitOfWork(memory, owner),
            lambda owner: [event.type for event in memory.events if event.tenant_id == owner],
            tenant,
        )
        return
    settings: Settings = request.getfixturevalue("database")
    server: Postgres = request.getfixturevalue("postgres")
    database = engine(plain(settings.database.url), settings.database)

    def events_of(owner: UUID) -> list[str]:
        with server.connect() as connection:
            query = "SELECT event_type FROM outbox_event WHERE tenant_id = $1::uuid ORDER BY id"
            return [row[0] for row in connection.execute_unnamed(query, (str(owner),)).rows]

    yield Suite(
        lambda owner: PostgresUnitOfWork(database, settings.outbox, owner), events_of, tenant
    )
    database.dispose()


def test_a_created_entity_is_read_back_and_has_an_event(suite: Suite) -> None:
    account = suite.create_account(industry="Utilities")
    contact = suite.create_contact(account_id=account.id, email="ada@example.test")
    job = suite.create_job(account.id, contact_id=contact.id, scheduled_for=START, amount_cents=500)
    assert suite.read(ACCOUNT, account.id) == account
    assert suite.read(CONTACT, contact.id) == contact
    assert suite.read(JOB, job.id) == job
    assert suite.events() == ["AccountCreated", "ContactCreated", "JobCreated"]


def test_without_a_commit_neither_the_entity_nor_its_event_is_kept(suite: Suite) -> None:
    account = builders.account(suite.tenant)
    with suite.begin() as uow:
        uow.repository(ACCOUNT).add(account)
        uow.record(changes.created(account))
    with pytest.raises(NotFound):
        suite.read(ACCOUNT, account.id)
    assert suite.events() == []


def test_another_tenant_reads_changes_and_deletes_nothing(suite: Suite) -> None:
    account = suite.create_account()
    stranger = suite.of_another_tenant()
    with pytest.raises(NotFound):
        stranger.read(ACCOUNT, account.id)
    with pytest.raises(NotFound):
        stranger.change(ACCOUNT, account.id, ChangeAccount(name="x"))
    with pytest.raises(NotFound):
        stranger.delete(ACCOUNT, account.id)
    with pytest.raises(Unprocessable):
        stranger.create_job(account.id)
    assert stranger.find(ACCOUNT, Query()) == []
    assert stranger.events() == []


def test_a_change_makes_the_next_version_and_an_event(suite: Suite) -> None:
    account = suite.create_account()
    changed = suite.change(ACCOUNT, account.id, ChangeAccount(phone="+49 30 1"), expected=1)
    assert (changed.version, changed.phone) == (2, "+49 30 1")
    assert suite.read(ACCOUNT, account.id) == changed
    assert suite.events() == ["AccountCreated", "AccountUpdated"]


def test_a_change_to_the_same_values_makes_no_version_and_no_event(suite: Suite) -> None:
    account = suite.create_account()
    same = suite.change(ACCOUNT, account.id, ChangeAccount(name="Northwind"), expected=1)
    assert same.version == 1
    assert suite.events() == ["AccountCreated"]


def test_a_stale_version_is_refused_with_the_current_one(suite: Suite) -> None:
    account = suite.create_account()
    suite.change(ACCOUNT, account.id, ChangeAccount(name="A"), expected=1)
    with pytest.raises(PreconditionFailed) as refused:
        suite.change(ACCOUNT, account.id, ChangeAccount(name="B"), expected=1)
    assert refused.value.headers["ETag"] == '"2"'


def test_an_email_is_unique_within_the_tenant_in_any_case(suite: Suite) -> None:
    suite.create_contact(email="Ada@Example.test")
    with pytest.raises(Conflict) as refused:
        suite.create_contact(email="ada@example.TEST")
    assert refused.value.errors[0].field == "email"
    suite.of_another_tenant().create_contact(email="ada@example.test")
    other = suite.create_contact(email="eve@example.test")
    with pytest.raises(Conflict):
        suite.change(CONTACT, other.id, ChangeContact(email="ADA@example.test"))


@pytest.mark.parametrize(
    ("email", "variant", "equal"),
    [
        ("İrem@x.example", "irem@x.example", True),
        ("İrem@x.example", "i\u0307rem@x.example", False),
        ("groẞ@x.example", "groß@x.example", True),
        ("groß@x.example", "gross@x.example", False),
        ("ΝΙΚΟΣ@x.example", "νικοσ@x.example", True),
        ("ΝΙΚΟΣ@x.example", "νικος@x.example", False),
        ("ŉ@x.example", "ʼn@x.example", False),
        ("Zoë@x.example", "ZOË@x.example", True),
        ("ada@x.example", "ADA@X.EXAMPLE", True),
    ],
)
def test_letters_fold_as_in_the_unique_index(
    suite: Suite, email: str, variant: str, equal: bool
) -> None:
    contact = suite.create_contact(email=email)
    assert suite.find(CONTACT, Query(filters={"email": email})) == [contact]
    expected = [contact] if equal else []
    assert suite.find(CONTACT, Query(filters={"email": variant})) == expected
    assert suite.find(CONTACT, Query(search=variant)) == expected
    if equal:
        with pytest.raises(Conflict):
            suite.create_contact(email=variant)
    else:
        suite.create_contact(email=variant)


def test_a_kelvin_sign_that_was_stored_earlier_is_a_k(suite: Suite) -> None:
    old = builders.contact(suite.tenant, email="\u212aim@x.example")
    with suite.begin() as uow:
        uow.repository(CONTACT).add(old)
        uow.commit()
    assert suite.find(CONTACT, Query(filters={"email": "KIM@x.example"})) == [old]
    with pytest.raises(Conflict):
        suite.create_contact(email="kim@x.example")
    changed = suite.change(CONTACT, old.id, ChangeContact(phone="1"))
    assert changed.email == "\u212aim@x.example"


@pytest.mark.parametrize(
    ("field", "wire_name"), [("account_id", "accountId"), ("contact_id", "contactId")]
)
def test_a_reference_to_an_unknown_id_is_refused_by_name(
    suite: Suite, field: str, wire_name: str
) -> None:
    job = suite.create_job(suite.create_account().id)
    with pytest.raises(Unprocessable) as refused:
        suite.change(JOB, job.id, ChangeJob(**{field: uuid4()}))
    assert refused.value.errors[0].field == wire_name


def test_a_job_moves_with_an_event_of_its_own(suite: Suite) -> None:
    job = suite.create_job(suite.create_account().id)
    moved = suite.move(job, JobStatus.SCHEDULED)
    assert (moved.status, moved.version) == (JobStatus.SCHEDULED, 2)
    with pytest.raises(Conflict):
        suite.move(job, JobStatus.OPEN)
    assert suite.events()[-1] == "JobStatusChanged"


def test_an_account_with_jobs_is_not_deleted(suite: Suite) -> None:
    account = suite.create_account()
    job = suite.create_job(account.id)
    with pytest.raises(Conflict) as refused:
        suite.delete(ACCOUNT, account.id)
    assert refused.value.code == "account-has-jobs"
    suite.delete(JOB, job.id, expected=1)
    suite.delete(ACCOUNT, account.id, expected=1)
    assert suite.events() == ["AccountCreated", "JobCreated", "JobDeleted", "AccountDeleted"]


def test_a_refused_deletion_detaches_nothing(suite: Suite) -> None:
    account = suite.create_account()
    contact = suite.create_contact(account_id=account.id)
    suite.create_job(account.id)
    with pytest.raises(Conflict):
        suite.delete(ACCOUNT, account.id)
    assert suite.read(CONTACT, contact.id).account_id == account.id
    assert "ContactUpdated" not in suite.events()


def test_a_deletion_detaches_what_refers_to_the_entity_with_events(suite: Suite) -> None:
    account = suite.create_account()
    contact = suite.create_contact(account_id=account.id)
    other = suite.create_account()
    job = suite.create_job(other.id, contact_id=contact.id)
    suite.delete(ACCOUNT, account.id)
    assert suite.read(CONTACT, contact.id).account_id is None
    suite.delete(CONTACT, contact.id)
    assert suite.read(JOB, job.id).contact_id is None
    assert sorted(suite.events()[4:]) == [
        "AccountDeleted",
        "ContactDeleted",
        "ContactUpdated",
        "JobUpdated",
    ]


@pytest.mark.parametrize("descending", [False, True])
def test_a_list_is_paged_by_keyset_in_both_directions(suite: Suite, descending: bool) -> None:
    accounts = [
        builders.account(suite.tenant, name=f"A{n}", created_at=START + timedelta(seconds=n // 2))
        for n in range(7)
    ]
    with suite.begin() as uow:
        for account in accounts:
            uow.repository(ACCOUNT).add(account)
        uow.commit()
    ordered = sorted(accounts, key=lambda account: (account.created_at, account.id))
    seen: list[Account] = []
    after = None
    while True:
        page = suite.find(ACCOUNT, Query(limit=3, descending=descending, after=after))
        seen += page[:3]
        if len(page) <= 3:
            break
        after = Position(page[2].created_at, page[2].id)
    assert seen == (ordered[::-1] if descending else ordered)


def test_a_list_is_filtered_and_searched(suite: Suite) -> None:
    account = suite.create_account()
    ada = suite.create_contact(account_id=account.id, email="Ada@x.test", title="100%_sure")
    eve = suite.create_contact(name="Eve")
    for query, expected in (
        (Query(filters={"account_id": str(account.id)}), [ada]),
        (Query(filters={"email": "ADA@X.test"}), [ada]),
        (Query(search="EV"), [eve]),
        (Query(search="%_s"), [ada]),
        (Query(search="a%a"), []),
        (Query(search="zoe"), []),
    ):
        assert suite.find(CONTACT, query) == expected, query


@pytest.mark.parametrize("kind", [ACCOUNT, CONTACT, JOB])
def test_a_list_has_no_filter_beyond_those_of_its_kind(suite: Suite, kind: EntityType[Any]) -> None:
    with pytest.raises(KeyError):
        suite.find(kind, Query(filters={"version": "1"}))
