"""The registry of entities: for each kind, everything that the rest of the product needs.

Tables, repositories, use cases, routes, documents and test fakes read it, so a new kind of
entity is described here and nowhere else.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import NoneType
from typing import Any, Generic, TypeVar, cast, get_args

from chalicelib.crm import commands, events
from chalicelib.crm.model import Account, Contact, Entity, Job

E = TypeVar("E", bound=Entity)


@dataclass(frozen=True, slots=True)
class Filter:
    """A field that lists can be filtered by.

    Attributes:
        field: its name in code.
        description: what the filter does, for the API's document.
        ignore_case: upper and lower case count as equal.
    """

    field: str
    description: str
    ignore_case: bool = False


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class EntityType(Generic[E]):
    """One kind of entity.

    Attributes:
        name: its name, in the singular; also of its table, and in the names of its
            constraints (`contact_email_key`, `contact_account_fkey`).
        collection: its name in addresses, in the plural.
        model: the class of its entities.
        create: the command that creates one.
        change: the patch that changes one.
        created: the event of a creation.
        updated: the event of a change.
        deleted: the event of a deletion.
        searched: the fields that a search looks into.
        filters: the fields that lists can be filtered by.
        references: fields that hold the id of another entity, and the name of its kind. An
            entity with a required reference prevents the deletion of what it refers to; an
            optional reference is cleared instead.
        unique: fields that no two entities of a tenant share, in upper or lower case.
    """

    name: str
    collection: str
    model: type[E]
    create: type[commands.Command]
    change: type[commands.Patch]
    created: type[events.Event]
    updated: type[events.Event]
    deleted: type[events.Event]
    searched: tuple[str, ...]
    filters: tuple[Filter, ...] = ()
    references: Mapping[str, str] = field(default_factory=dict)
    unique: tuple[str, ...] = ()

    def wire_name(self, field_name: str) -> str:
        """Return a field's name in JSON and in queries, e.g. `accountId`."""
        return str(self.model.model_fields[field_name].alias)

    def value_type(self, field_name: str) -> type:
        """Return the type of a field's values, None apart."""
        annotation: Any = self.model.model_fields[field_name].annotation
        for member in get_args(annotation):
            if member is not NoneType:
                return cast("type", member)
        return cast("type", annotation)

    def is_optional(self, field_name: str) -> bool:
        """Return whether a field may be None."""
        return NoneType in get_args(self.model.model_fields[field_name].annotation)


ACCOUNT = EntityType(
    name="account",
    collection="accounts",
    model=Account,
    create=commands.CreateAccount,
    change=commands.ChangeAccount,
    created=events.AccountCreated,
    updated=events.AccountUpdated,
    deleted=events.AccountDeleted,
    searched=("name", "industry", "website"),
)
CONTACT = EntityType(
    name="contact",
    collection="contacts",
    model=Contact,
    create=commands.CreateContact,
    change=commands.ChangeContact,
    created=events.ContactCreated,
    updated=events.ContactUpdated,
    deleted=events.ContactDeleted,
    searched=("name", "email", "title"),
    filters=(
        Filter("account_id", "Only contacts of this account."),
        Filter("email", "Only contacts with this email address, in any case.", ignore_case=True),
    ),
    references={"account_id": "account"},
    unique=("email",),
)
JOB = EntityType(
    name="job",
    collection="jobs",
    model=Job,
    create=commands.CreateJob,
    change=commands.ChangeJob,
    created=events.JobCreated,
    updated=events.JobUpdated,
    deleted=events.JobDeleted,
    searched=("title", "description"),
    filters=(
        Filter("status", "Only jobs with this status."),
        Filter("account_id", "Only jobs of this account."),
        Filter("contact_id", "Only jobs of this contact."),
    ),
    references={"account_id": "account", "contact_id": "contact"},
)

ENTITIES: tuple[EntityType[Any], ...] = (ACCOUNT, CONTACT, JOB)
"""Every kind of entity."""

BY_MODEL: Mapping[type[Entity], EntityType[Any]] = {kind.model: kind for kind in ENTITIES}


def kind_of(entity: Entity) -> EntityType[Any]:
    """Return the kind of `entity`."""
    return BY_MODEL[type(entity)]


def references_to(kind: EntityType[Any]) -> Iterator[tuple[EntityType[Any], str]]:
    """Yield each kind that refers to `kind`, with the field that does."""
    for other in ENTITIES:
        for field_name, target in other.references.items():
            if target == kind.name:
                yield other, field_name
