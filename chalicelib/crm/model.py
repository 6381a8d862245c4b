"""What the business is about: accounts, their contacts, and the jobs done for them."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, TypeVar
from uuid import UUID

from pydantic import Field

from chalicelib.errors import Conflict
from chalicelib.schema import WHOLE, Model, Moment, Text

EMAIL = r"^\s*[^@\s\x00]+@[^@\s.\x00]+(\.[^@\s.\x00]+)+\s*$"
WEBSITE = r"^\s*https?://[^\s\x00]+\s*$"
CURRENCY = r"^[A-Z]{3}$"
MOST_CENTS = 2**53 - 1
"""The largest amount that every JSON reader holds exactly."""

Name = Annotated[str, Text(200)]
ShortText = Annotated[str, Text(100)]
Phone = Annotated[str, Text(40)]
Email = Annotated[str, Text(254, pattern=EMAIL)]
Website = Annotated[str, Text(2_048, pattern=WEBSITE)]
Title = Annotated[str, Text(200)]
Description = Annotated[str, Text(10_000, blank=True)]
Currency = Annotated[str, Text(3, pattern=CURRENCY)]
Cents = Annotated[int, Field(ge=0, le=MOST_CENTS), WHOLE]

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

    name: Name
    industry: ShortText | None = None
    website: Website | None = None
    phone: Phone | None = None


class Contact(Entity):
    """A person, at an account or on their own. The email is unique within a tenant, whatever its case."""

    account_id: UUID | None = None
    name: Name
    email: Email | None = None
    phone: Phone | None = None
    title: ShortText | None = None


class Job(Entity):
    """Work for an account."""

    account_id: UUID
    contact_id: UUID | None = None
    title: Title
    description: Description | None = None
    status: JobStatus = JobStatus.OPEN
    scheduled_for: Moment | None = None
    amount_cents: Cents | None = None
    currency: Currency = "USD"

    def moved(self, to: JobStatus, now: datetime) -> "Job":
        """Return the job in status `to`.

        Raises:
            errors.Conflict: no such move from here; `allowed` names the legal ones.
        """
        allowed = [status.value for status in JobStatus if status in MOVES[self.status]]
        if to.value not in allowed:
            choice = f"It may become: {', '.join(allowed)}." if allowed else f"{self.status.value} is final."
            raise Conflict(
                f"A job that is {self.status.value} cannot become {to.value}. {choice}",
                code="illegal-status-change",
                allowed=allowed,
            )
        return self.changed(now, status=to)
