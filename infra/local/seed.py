"""Sample data for the local stack, written through its API: `python -m infra.local.seed`.

Running it again creates only what is missing: rows are recognized by name, email and title,
and by their idempotency keys.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from urllib.parse import urlencode
from uuid import UUID

from chalicelib.security.identity import Role
from infra.local.errors import ServiceFailed
from infra.local.identity import DEFAULT_TENANT
from infra.local.ports import Ports
from infra.local.seed_data import MAX_ACCOUNTS, AccountPlan, Fields, JobPlan, plans
from infra.local.seed_transport import HttpTransport, Reply, SeedFailed, Transport
from infra.local.stack import Stack
from infra.paths import HOME

DEFAULT_ACCOUNTS = 60
DEFAULT_WORKERS = 4
MAX_WORKERS = 16
PAGE_SIZE = 100
PROGRESS_STEP = 10
KINDS = ("accounts", "contacts", "jobs", "moves")


class Seeder:
    """Writes accounts with their contacts and jobs, and counts what it did."""

    def __init__(self, transport: Transport) -> None:
        """Write through `transport`, for the tenant that it is signed in to."""
        self._transport = transport

    def existing_accounts(self) -> dict[str, Fields]:
        """Return the accounts that the tenant has, by name."""
        return {account["name"]: account for account in self._listed("accounts")}

    def write(self, plan: AccountPlan, account: Fields | None) -> Counter[str]:
        """Write what is missing of `plan`; return numbers such as `jobs.created`.

        Args:
            plan: the account, its contacts and jobs.
            account: the account as it exists, or None.

        Raises:
            SeedFailed: a request was refused or not answered.
        """
        counts: Counter[str] = Counter()
        contacts: dict[str, Fields] = {}
        jobs: dict[str, Fields] = {}
        if account:
            counts["accounts.present"] += 1
            query = {"accountId": account["id"]}
            contacts = {item["email"]: item for item in self._listed("contacts", query)}
            jobs = {item["title"]: item for item in self._listed("jobs", query)}
        else:
            account = self._create("accounts", plan.fields, plan.key, counts)
        written = [
            self._contact(f"{plan.key}-contact-{number}", account, fields, contacts, counts)
            for number, fields in enumerate(plan.contacts)
        ]
        for number, job_plan in enumerate(plan.jobs):
            key = f"{plan.key}-job-{number}"
            job = jobs.get(job_plan.fields["title"])
            if job:
                counts["jobs.present"] += 1
            else:
                body = _job_body(job_plan, account, written)
                job = self._create("jobs", body, key, counts)
            self._move(job, job_plan, key, counts)
        return counts

    def _contact(
        self,
        key: str,
        account: Fields,
        fields: Fields,
        present: Mapping[str, Fields],
        counts: Counter[str],
    ) -> Fields:
        if contact := present.get(fields["email"]):
            counts["contacts.present"] += 1
            return contact
        return self._create("contacts", {**fields, "accountId": account["id"]}, key, counts)

    def _move(self, job: Fields, plan: JobPlan, key: str, counts: Counter[str]) -> None:
        """Move the job through its remaining statuses, unless it has left their path."""
        statuses = ["Open", *(status.value for status in plan.moves)]
        done = len(statuses)
        if job["status"] in statuses:
            done = statuses.index(job["status"])
        counts["moves.present"] += min(done, len(plan.moves))
        for status in statuses[done + 1 :]:
            path = f"/api/crm/jobs/{job['id']}/status"
            reply = self._send("POST", path, {"status": status}, f"{key}-{status}")
            counts[f"moves.{_outcome(reply)}"] += 1

    def _create(self, collection: str, body: Fields, key: str, counts: Counter[str]) -> Fields:
        reply = self._send("POST", f"/api/crm/{collection}", body, key)
        counts[f"{collection}.{_outcome(reply)}"] += 1
        return dict(reply.body)

    def _listed(self, collection: str, query: Mapping[str, str] | None = None) -> Iterator[Fields]:
        """Yield every entity of a collection, page by page."""
        cursor = None
        while True:
            parameters = {"limit": str(PAGE_SIZE), **(query or {})}
            if cursor:
                parameters["cursor"] = cursor
            page = self._send("GET", f"/api/crm/{collection}?{urlencode(parameters)}").body
            yield from page["items"]
            cursor = page["nextCursor"]
            if not cursor:
                return

    def _send(self, method: str, path: str, body: Fields | None = None, key: str = "") -> Reply:
        headers = {"Idempotency-Key": key} if key else {}
        reply = self._transport(method, path, body, headers)
        if reply.status >= 400:
            detail = reply.body.get("detail", "") if isinstance(reply.body, dict) else ""
            remedy = "To write other rows, use another --seed."
            raise SeedFailed(f"{method} {path}: {reply.status} {detail} {remedy}")
        return reply


def _outcome(reply: Reply) -> str:
    return "present" if reply.headers.get("idempotent-replayed") == "true" else "created"


def _job_body(plan: JobPlan, account: Fields, contacts: list[Fields]) -> Fields:
    body = {**plan.fields, "accountId": account["id"]}
    if plan.contact is not None:
        body["contactId"] = contacts[plan.contact]["id"]
    return body


def run(
    transport: Transport,
    *,
    accounts: int,
    seed: int,
    workers: int,
    say: Callable[[str], None],
) -> Counter[str]:
    """Write `accounts` accounts with their contacts and jobs; return how many of each.

    Raises:
        SeedFailed: a request was refused or not answered; what was written stays.
        ValueError: `accounts` is out of range.
    """
    planned = list(plans(accounts, seed))
    seeder = Seeder(transport)
    existing = seeder.existing_accounts()
    total: Counter[str] = Counter()
    with ThreadPoolExecutor(workers) as pool:
        futures = [
            pool.submit(seeder.write, plan, existing.get(plan.fields["name"])) for plan in planned
        ]
        try:
            for number, future in enumerate(as_completed(futures), start=1):
                total += future.result()
                if number % PROGRESS_STEP == 0 or number == len(futures):
                    say(f"· {number} of {len(futures)} accounts")
        finally:
            pool.shutdown(cancel_futures=True)
    return total


def _number(smallest: int, largest: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        value = int(text)
        if not smallest <= value <= largest:
            raise argparse.ArgumentTypeError(f"must be from {smallest} to {largest}")
        return value

    return parse


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.local.seed", description=__doc__)
    parser.add_argument(
        "--accounts",
        type=_number(1, MAX_ACCOUNTS),
        default=DEFAULT_ACCOUNTS,
        help=f"how many accounts with contacts and jobs (default {DEFAULT_ACCOUNTS})",
    )
    parser.add_argument("--seed", type=int, default=1, help="which sample: any integer")
    parser.add_argument(
        "--workers",
        type=_number(1, MAX_WORKERS),
        default=DEFAULT_WORKERS,
        help=f"how many requests at a time (default {DEFAULT_WORKERS})",
    )
    parser.add_argument("--tenant", type=UUID, default=DEFAULT_TENANT, help="whose rows")
    parser.add_argument("--home", type=Path, default=HOME, help="where state is kept")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    return parser


def main() -> int:
    """Seed the local stack from the command line; return the exit code."""
    arguments = _parser().parse_args()
    output = sys.stderr if arguments.json else sys.stdout

    def say(line: str) -> None:
        print(line, file=output, flush=True)

    try:
        stack = Stack(arguments.home.resolve(), Ports.from_env(), say=say)
        url = stack.status()["api"]
        if not url:
            print("✗ nothing is deployed: run `make up`", file=sys.stderr)
            return 1
        token = stack.issuer.token(Role.SALES, arguments.tenant)
        transport = HttpTransport(url.rstrip("/"), token, arguments.workers)
        counts = run(
            transport,
            accounts=arguments.accounts,
            seed=arguments.seed,
            workers=arguments.workers,
            say=say,
        )
    except (SeedFailed, ServiceFailed) as error:
        print(f"✗ {error}", file=sys.stderr)
        return 1
    if arguments.json:
        print(json.dumps({kind: _of(counts, kind) for kind in KINDS}))
    else:
        print(summary(counts))
    return 0


def _of(counts: Counter[str], kind: str) -> dict[str, int]:
    return {"created": counts[f"{kind}.created"], "present": counts[f"{kind}.present"]}


def summary(counts: Counter[str]) -> str:
    """Return what was written, and what was already there, in a line."""
    created = ", ".join(f"{counts[f'{kind}.created']} {kind}" for kind in KINDS[:3])
    present = sum(counts[f"{kind}.present"] for kind in KINDS[:3])
    if not any(counts[f"{kind}.created"] for kind in KINDS):
        return f"✓ nothing to do: all {present} rows are already there"
    return f"✓ created {created}; {present} rows were already there"


if __name__ == "__main__":
    sys.exit(main())
