"""Sample accounts, contacts and jobs, always the same for one seed.

Addresses are under `.example` (RFC 2606), and phone numbers from ranges that are reserved
for fiction, so that nothing reaches a real company or person.
"""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from chalicelib.crm.model import JobStatus

PLACES = (
    "Alpine", "Amber", "Atlantic", "Beacon", "Bluewater", "Cedar", "Copper", "Crescent",
    "Eastgate", "Evergreen", "Fairview", "Granite", "Harbour", "Highland", "Ironbridge",
    "Juniper", "Kestrel", "Lakeside", "Maple", "Meridian", "Northwind", "Orchard",
    "Pinnacle", "Quayside", "Riverside",
    "Silverline", "Summit", "Westfield", "Willow",
)  # fmt: skip
TRADES = (
    ("Energy", "Utilities"),
    ("Water", "Utilities"),
    ("Foods", "Food and beverage"),
    ("Logistics", "Transport"),
    ("Freight", "Transport"),
    ("Clinics", "Health care"),
    ("Dental", "Health care"),
    ("Hotels", "Hospitality"),
    ("Breweries", "Food and beverage"),
    ("Foundry", "Manufacturing"),
    ("Plastics", "Manufacturing"),
    ("Textiles", "Manufacturing"),
    ("Schools", "Education"),
    ("Properties", "Real estate"),
    ("Markets", "Retail"),
    ("Farms", "Agriculture"),
    ("Solar", "Renewables"),
)
MAX_ACCOUNTS = len(PLACES) * len(TRADES)
GIVEN_NAMES = (
    "Ada", "Amira", "Bruno", "Chloe", "Daniel", "Elena", "Farid", "Grace", "Hugo", "Ines",
    "Jonas", "Keiko", "Liam", "Mara", "Nadia", "Oscar", "Priya", "Rosa", "Samuel", "Tove",
)  # fmt: skip
FAMILY_NAMES = (
    "Abbott", "Baumann", "Castillo", "Dubois", "Eriksen", "Fischer", "Garcia", "Haddad",
    "Ivanova", "Jensen", "Keller", "Lindqvist", "Moreau", "Nakamura", "Okafor", "Patel",
    "Rossi", "Schmid", "Tanaka", "Walsh",
)  # fmt: skip
TITLES = ("Facility Manager", "Head of Operations", "Maintenance Lead", "Site Engineer")
WORK = ("Inspect", "Install", "Replace", "Repair", "Calibrate", "Commission")
OBJECTS = (
    "the main meter",
    "the heat pump",
    "the roof panels",
    "the backup generator",
    "the cooling unit",
    "the fire alarm",
    "the pressure valve",
    "the switchboard",
)
SITES = ("at the head office", "in hall 1", "in hall 2", "at the depot")
CURRENCIES = ("USD", "EUR", "GBP", "CHF")
MOVES: tuple[tuple[JobStatus, ...], ...] = (
    (JobStatus.SCHEDULED, JobStatus.IN_PROGRESS, JobStatus.COMPLETED),
    (),
    (JobStatus.SCHEDULED,),
    (JobStatus.SCHEDULED, JobStatus.IN_PROGRESS),
    (JobStatus.SCHEDULED, JobStatus.ON_HOLD),
    (JobStatus.SCHEDULED, JobStatus.CANCELLED),
    (JobStatus.SCHEDULED, JobStatus.IN_PROGRESS, JobStatus.ON_HOLD),
    (JobStatus.CANCELLED,),
)
"""The ways that jobs take from Open; together they end in every status."""

FIRST_DAY = datetime(2026, 1, 5, tzinfo=UTC)
WORKING_HOURS = range(7, 17)

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class JobPlan:
    """A job: its fields, without ids, and the statuses that it moves to after Open.

    `contact` is the index of its contact among the account's, or None.
    """

    fields: Fields
    moves: tuple[JobStatus, ...]
    contact: int | None


@dataclass(frozen=True, slots=True)
class AccountPlan:
    """An account with its contacts and jobs; `key` names it in idempotency keys."""

    key: str
    fields: Fields
    contacts: tuple[Fields, ...]
    jobs: tuple[JobPlan, ...]


def plans(count: int, seed: int) -> Iterator[AccountPlan]:
    """Yield `count` accounts. A larger count begins with the accounts of a smaller one.

    Raises:
        ValueError: `count` is not between 1 and `MAX_ACCOUNTS`.
    """
    if not 1 <= count <= MAX_ACCOUNTS:
        raise ValueError(f"the number of accounts must be from 1 to {MAX_ACCOUNTS}")
    names = [(place, trade) for place in PLACES for trade in TRADES]
    random.Random(seed).shuffle(names)  # noqa: S311 - sample data, not a secret
    for number, (place, (trade, industry)) in enumerate(names[:count]):
        yield _account(seed, number, f"{place} {trade}", industry)


def _account(seed: int, number: int, name: str, industry: str) -> AccountPlan:
    choose = random.Random(f"{seed}/{number}")  # noqa: S311 - sample data, not a secret
    domain = f"{re.sub('[^a-z]+', '-', name.lower())}.example"
    contacts = _contacts(choose, domain)
    return AccountPlan(
        key=f"seed-{seed}-{number}",
        fields={
            "name": name,
            "industry": industry,
            "website": f"https://www.{domain}",
            "phone": _phone(choose),
        },
        contacts=contacts,
        jobs=_jobs(choose, number, len(contacts)),
    )


def _contacts(choose: random.Random, domain: str) -> tuple[Fields, ...]:
    count = choose.randint(1, 3)
    given_names = choose.sample(GIVEN_NAMES, count)
    family_names = choose.sample(FAMILY_NAMES, count)
    return tuple(
        {
            "name": f"{given} {family}",
            "email": f"{given}.{family}@{domain}".lower(),
            "phone": _phone(choose),
            "title": choose.choice(TITLES),
        }
        for given, family in zip(given_names, family_names, strict=True)
    )


def _jobs(choose: random.Random, number: int, contacts: int) -> tuple[JobPlan, ...]:
    count = choose.randint(2, 5)
    subjects = choose.sample([(thing, site) for thing in OBJECTS for site in SITES], count)
    currency = choose.choice(CURRENCIES)
    jobs = []
    for index, (thing, site) in enumerate(subjects):
        moves = MOVES[number % len(MOVES)] if index == 0 else choose.choice(MOVES)
        day = FIRST_DAY + timedelta(days=choose.randrange(330))
        start = day + timedelta(hours=choose.choice(WORKING_HOURS))
        fields: Fields = {
            "title": f"{choose.choice(WORK)} {thing} {site}",
            "amountCents": choose.randrange(80, 4_000) * 250,
            "currency": currency,
        }
        if JobStatus.SCHEDULED in moves:
            fields["scheduledFor"] = start.isoformat().replace("+00:00", "Z")
        contact = choose.choice((None, *range(contacts)))
        jobs.append(JobPlan(fields, moves, contact))
    return tuple(jobs)


def _phone(choose: random.Random) -> str:
    """Return a number of the United States or of London that is reserved for fiction."""
    if choose.random() < 0.5:
        return f"+1 202 555 01{choose.randrange(100):02}"
    return f"+44 20 7946 0{choose.randrange(1_000):03}"
