"""What callers may ask for, checked field by field before any of it is acted on."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from chalicelib.crm.model import JobStatus
from chalicelib.shared.schema import WHOLE, Model, Moment, Text

CONTROL = r"\x00-\x1f\x7f-\x9f"
"""Regular expressions disagree on which of these are white space, so patterns name them."""
EMAIL = rf"^[ \t\r\n]*[^@\s{CONTROL}]+@[^@\s.{CONTROL}]+(\.[^@\s.{CONTROL}]+)+[ \t\r\n]*$"
WEBSITE = rf"^[ \t\r\n]*https?://[^\s{CONTROL}]+[ \t\r\n]*$"
CURRENCY = r"^[A-Z]{3}$"
MAX_CENTS = 2**53 - 1
"""The largest amount that every JSON reader holds exactly."""

Name = Annotated[str, Text(200)]
ShortText = Annotated[str, Text(100)]
Phone = Annotated[str, Text(40)]
Email = Annotated[str, Text(254, pattern=EMAIL, reason="must be an email address")]
Website = Annotated[str, Text(2_048, pattern=WEBSITE, reason="must be an http or https address")]
Title = Annotated[str, Text(200)]
Description = Annotated[str, Text(10_000, blank=True)]
Currency = Annotated[
    str, Text(3, pattern=CURRENCY, reason="must be three capital letters such as CHF")
]
Cents = Annotated[int, Field(ge=0, le=MAX_CENTS), WHOLE]

ABSENT: Any = None
"""Default of a patch's field that may be absent and, by its type, may not be null."""


class Command(Model):
    """A request to do something."""

    def values(self) -> dict[str, Any]:
        """Return the fields by their names in code."""
        return {name: getattr(self, name) for name in type(self).model_fields}


class Patch(Model):
    """A JSON merge patch (RFC 7396): absent leaves a field alone, null clears it.

    A field that is not optional has a default all the same, for it may be absent; null is
    refused by its type.
    """

    def values(self) -> dict[str, Any]:
        """Return only the fields that the caller named."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class CreateAccount(Command):
    """Open an account."""

    name: Name
    industry: ShortText | None = None
    website: Website | None = None
    phone: Phone | None = None


class ChangeAccount(Patch):
    """Change an account."""

    name: Name = ABSENT
    industry: ShortText | None = None
    website: Website | None = None
    phone: Phone | None = None


class CreateContact(Command):
    """Add a contact."""

    account_id: UUID | None = None
    name: Name
    email: Email | None = None
    phone: Phone | None = None
    title: ShortText | None = None


class ChangeContact(Patch):
    """Change a contact."""

    account_id: UUID | None = None
    name: Name = ABSENT
    email: Email | None = None
    phone: Phone | None = None
    title: ShortText | None = None


class CreateJob(Command):
    """Add a job. It starts as Open."""

    account_id: UUID
    contact_id: UUID | None = None
    title: Title
    description: Description | None = None
    status: Literal[JobStatus.OPEN] = JobStatus.OPEN
    scheduled_for: Moment | None = None
    amount_cents: Cents | None = None
    currency: Currency = "USD"


class ChangeJob(Patch):
    """Change a job. Its status moves by `MoveJob` alone."""

    account_id: UUID = ABSENT
    contact_id: UUID | None = None
    title: Title = ABSENT
    description: Description | None = None
    scheduled_for: Moment | None = None
    amount_cents: Cents | None = None
    currency: Currency = ABSENT


class MoveJob(Command):
    """Move a job to another status."""

    status: JobStatus
