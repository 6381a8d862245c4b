"""The events of the business, in the past tense. Every change is described by exactly one.

An event's JSON form is the value of its Kafka record: the fields that every event has, the
id of the aggregate, and, unless the event says otherwise, its state after the change.
"""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from pydantic import Field

from chalicelib.crm.model import AccountFields, ContactFields, Job, JobFields, JobStatus
from chalicelib.shared.ids import uuid7
from chalicelib.shared.schema import Model


class Event(Model):
    """What every event has. `version` is the aggregate's version after the change."""

    aggregate: ClassVar[str]
    schema_version: ClassVar[int] = 1

    event_id: UUID = Field(default_factory=uuid7)
    tenant_id: UUID
    occurred_at: datetime
    version: int

    @property
    def type(self) -> str:
        """Return the event's type, e.g. `JobCreated`."""
        return type(self).__name__

    @property
    def stream_key(self) -> str:
        """Return the stream within which the order of events is kept, e.g. `job:0197...`."""
        return f"{self.aggregate}:{getattr(self, self.aggregate + '_id')}"


class AccountEvent(Event):
    """An event of an account."""

    aggregate = "account"
    account_id: UUID


class AccountCreated(AccountFields, AccountEvent):
    """An account was created."""


class AccountUpdated(AccountFields, AccountEvent):
    """An account was changed; `changed` names the fields, as in its JSON form."""

    changed: list[str]


class AccountDeleted(AccountEvent):
    """An account was deleted."""


class ContactEvent(Event):
    """An event of a contact."""

    aggregate = "contact"
    contact_id: UUID


class ContactCreated(ContactFields, ContactEvent):
    """A contact was created."""


class ContactUpdated(ContactFields, ContactEvent):
    """A contact was changed; `changed` names the fields, as in its JSON form."""

    changed: list[str]


class ContactDeleted(ContactEvent):
    """A contact was deleted."""


class JobEvent(Event):
    """An event of a job."""

    aggregate = "job"
    job_id: UUID


class JobCreated(JobFields, JobEvent):
    """A job was created."""


class JobUpdated(JobFields, JobEvent):
    """A job was changed, except for its status; `changed` names the fields, as in its JSON form."""

    changed: list[str]


class JobStatusChanged(JobEvent):
    """A job moved from one status to another; `changedBy` is the subject of the caller."""

    old_status: JobStatus
    new_status: JobStatus
    changed_by: str

    @classmethod
    def of(cls, before: Job, after: Job, changed_by: str) -> "JobStatusChanged":
        """Return the event of a job's move by the caller `changed_by`."""
        return cls(
            tenant_id=after.tenant_id,
            occurred_at=after.updated_at,
            version=after.version,
            job_id=after.id,
            old_status=before.status,
            new_status=after.status,
            changed_by=changed_by,
        )


class JobDeleted(JobEvent):
    """A job was deleted."""


TYPES: tuple[type[Event], ...] = (
    AccountCreated,
    AccountUpdated,
    AccountDeleted,
    ContactCreated,
    ContactUpdated,
    ContactDeleted,
    JobCreated,
    JobUpdated,
    JobStatusChanged,
    JobDeleted,
)
"""Every event type. Topics, schemas and documents are made from this list."""
