"""Accounts, their contacts, and the jobs done for them, as they are stored.

An entity holds what was accepted at some time, under the rules of that time; the rules of
today are in `commands`. The fields of each kind are stated once, in a base class that its
events share.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar
from uuid import UUID

from pydantic import Field

from chalicelib.shared.errors import Conflict
from chalicelib.shared.schema import Model

E = TypeVar("E", bound="Entity")


class JobStatus(StrEnum):
    """The stages of a job."""

    OPEN = "Open"
    SCHEDULED = "Scheduled"
    IN_PROGRESS = "InProgress"
    ON_HOLD = "OnHold"
    COMPLETED = "Completed"
    CANCELLED = "Cancelled"


MOVES: dict[JobStatus, frozenset[JobStatus]] = {
    JobStatus.OPEN: frozenset({JobStatus.SCHEDULED, JobStatus.CANCELLED}),
    JobStatus.SCHEDULED: frozenset({JobStatus.IN_PROGRESS, JobStatus.ON_HOLD, JobStatus.CANCELLED}),
    JobStatus.IN_PROGRESS: frozenset({JobStatus.COMPLETED, JobStatus.ON_HOLD, JobStatus.CANCELLED}),
    JobStatus.ON_HOLD: frozenset({JobStatus.SCHEDULED, JobStatus.IN_PROGRESS, JobStatus.CANCELLED}),
    JobStatus.COMPLETED: frozenset(),
    JobStatus.CANCELLED: frozenset(),
}
"""The legal moves of a job; a status without any is final."""


class Entity(Model):
    """What every stored entity has. `version` counts its changes from 1 and is its ETag."""

    id: UUID
    tenant_id: UUID
    version: int = Field(ge=1)
    created_at: datetime
    updated_at: datetime

    def changed(self: E, now: datetime, **values: Any) -> E:
        """Return the next version, with `values` in place."""
        return self.model_copy(update={**values, "version": self.version + 1, "updated_at": now})


class AccountFields(Model):
    """The fields of an account."""

    name: str
    industry: str | None
    website: str | None
    phone: str | None


class Account(AccountFields, Entity):
    """A company that jobs are done for."""


class ContactFields(Model):
    """The fields of a contact."""

    account_id: UUID | None
    name: str
    email: str | None
    phone: str | None
    title: str | None


class Contact(ContactFields, Entity):
    """A person, at an account or independent.

    The email is unique within a tenant, in upper or lower case.
    """


class JobFields(Model):
    """The fields of a job."""

    account_id: UUID
    contact_id: UUID | None
    title: str
    description: str | None
    status: JobStatus
    scheduled_for: datetime | None
    amount_cents: int | None
    currency: str


class Job(JobFields, Entity):
    """Work for an account."""

    status: JobStatus = JobStatus.OPEN
    currency: str = "USD"

    def moved(self, to: JobStatus, now: datetime) -> "Job":
        """Return the job in status `to`.

        Raises:
            errors.Conflict: the move is illegal; `allowed` lists the legal ones.
        """
        allowed = [status.value for status in JobStatus if status in MOVES[self.status]]
        if to.value not in allowed:
            rule = f"{self.status.value} is final."
            if allowed:
                rule = f"Allowed: {', '.join(allowed)}."
            raise Conflict(
                f"A job with status {self.status.value} cannot become {to.value}. {rule}",
                code="illegal-status-change",
                allowed=allowed,
            )
        return self.changed(now, status=to)
