"""What the business is about: accounts, their contacts, and the jobs done for them.

Things hold what was stored, under whatever rules it was accepted then; `commands` has the
rules of today.
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
    """Where a job stands."""

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
    """What every stored thing has. `version` counts its changes from 1 and is its ETag."""

    id: UUID
    tenant_id: UUID
    version: int = Field(ge=1)
    created_at: datetime
    updated_at: datetime

    def changed(self: E, now: datetime, **values: Any) -> E:
        """Return the next version, with `values` in place."""
        return self.model_copy(update={**values, "version": self.version + 1, "updated_at": now})


class Account(Entity):
    """A company that jobs are done for."""

    name: str
    industry: str | None = None
    website: str | None = None
    phone: str | None = None


class Contact(Entity):
    """A person, at an account or on their own. The email is unique within a tenant, whatever its case."""

    account_id: UUID | None = None
    name: str
    email: str | None = None
    phone: str | None = None
    title: str | None = None


class Job(Entity):
    """Work for an account."""

    account_id: UUID
    contact_id: UUID | None = None
    title: str
    description: str | None = None
    status: JobStatus = JobStatus.OPEN
    scheduled_for: datetime | None = None
    amount_cents: int | None = None
    currency: str = "USD"

    def moved(self, to: JobStatus, now: datetime) -> "Job":
        """Return the job in status `to`.

        Raises:
            errors.Conflict: no such move from here; `allowed` names the legal ones.
        """
        allowed = [status.value for status in JobStatus if status in MOVES[self.status]]
        if to.value not in allowed:
            choice = (
                f"Allowed: {', '.join(allowed)}." if allowed else f"{self.status.value} is final."
            )
            raise Conflict(
                f"A job with status {self.status.value} cannot become {to.value}. {choice}",
                code="illegal-status-change",
                allowed=allowed,
            )
        return self.changed(now, status=to)
