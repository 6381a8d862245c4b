"""What callers may ask for. Every field is checked before anything is done.

These are the rules of today. `model` has no such rules, because what is stored was accepted
under the rules of its time.
"""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from chalicelib.crm.model import JobStatus
from chalicelib.shared.schema import WHOLE, Model, Moment, Text
from chalicelib.shared.text import HIDDEN_CLASS, JOINERS_CLASS, SELECTORS_CLASS

UNSEEN = rf"\s{HIDDEN_CLASS}{JOINERS_CLASS}{SELECTORS_CLASS}"
DOTS = r"\u3002\uff0e\uff61"
"""Full stops of other scripts, which some programs read as a dot."""
LOCAL_PART = rf'[^@\u037e\uff20\ufe6b<>()\[\]\\,;:"{UNSEEN}]+'
NOT_IN_DOMAIN = (
    r"\u0000-\u002c\u002e\u002f\u003a-\u0040\u005b-\u005e\u0060\u007b-\u007f"
    rf"{DOTS}\u037e\u1fef\uff20\ufe6b{UNSEEN}"
)
LABEL_END = rf"[^{NOT_IN_DOMAIN}\u002d]"
LABEL = rf"{LABEL_END}([^{NOT_IN_DOMAIN}]*{LABEL_END})?"
AROUND = r"[ \t\r\n]*"
EMAIL = rf"^{AROUND}{LOCAL_PART}@{LABEL}(\.{LABEL})+{AROUND}$"
"""No quotes, brackets, comments or second @; no empty label in the domain."""
WEBSITE = rf"^{AROUND}https?://[^\s{HIDDEN_CLASS}]+{AROUND}$"
MAX_EMAIL_LENGTH = 254
"""Characters; RFC 5321 allows 254 octets."""
CURRENCY = r"^[A-Z]{3}$"
MAX_CENTS = 2**53 - 1
"""The largest amount that every JSON reader holds exactly."""

Name = Annotated[str, Text(200)]
ShortText = Annotated[str, Text(100)]
Phone = Annotated[str, Text(40)]
Email = Annotated[
    str,
    Text(
        MAX_EMAIL_LENGTH,
        identifier=True,
        pattern=EMAIL,
        reason="must be an address such as ada@example.com, without name or angle brackets",
    ),
]
Website = Annotated[str, Text(2_048, pattern=WEBSITE, reason="must be an http or https address")]
Title = Annotated[str, Text(200)]
Description = Annotated[str, Text(10_000, blank=True, multiline=True)]
Currency = Annotated[
    str, Text(3, pattern=CURRENCY, reason="must be three capital letters such as CHF")
]
Cents = Annotated[int, Field(ge=0, le=MAX_CENTS), WHOLE]

ABSENT: Any = None
"""The default of a patch's field that may be absent but, by its type, not null."""


class Command(Model):
    """A request to do something."""

    def values(self) -> dict[str, Any]:
        """Return every field by its name in code."""
        return {name: getattr(self, name) for name in type(self).model_fields}


class Patch(Model):
    """A JSON merge patch (RFC 7396): an absent field stays as it is, null clears it.

    A required field has the default `ABSENT` here, because a patch may leave it out; its
    type refuses null.
    """

    def values(self) -> dict[str, Any]:
        """Return only the fields that the caller named."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class AccountInput(Model):
    """What callers may set of an account."""

    name: Name
    industry: ShortText | None = None
    website: Website | None = None
    phone: Phone | None = None


class CreateAccount(AccountInput, Command):
    """Create an account."""


class ChangeAccount(AccountInput, Patch):
    """Change an account."""

    name: Name = ABSENT


class ContactInput(Model):
    """What callers may set of a contact."""

    account_id: UUID | None = None
    name: Name
    email: Email | None = None
    phone: Phone | None = None
    title: ShortText | None = None


class CreateContact(ContactInput, Command):
    """Create a contact."""


class ChangeContact(ContactInput, Patch):
    """Change a contact."""

    name: Name = ABSENT


class CreateJob(Command):
    """Create a job. It starts as Open."""

    account_id: UUID
    contact_id: UUID | None = None
    title: Title
    description: Description | None = None
    status: Literal[JobStatus.OPEN] = JobStatus.OPEN
    scheduled_for: Moment | None = None
    amount_cents: Cents | None = None
    currency: Currency = "USD"


class ChangeJob(Patch):
    """Change a job, except for its status: only `MoveJob` changes that."""

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
