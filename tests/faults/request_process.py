"""Requests in a process of their own that can be killed between any two steps.

Prints each response as a line of JSON.
"""

import argparse
import json
from typing import Any
from uuid import UUID

import boto3  # noqa: F401 # loaded before the fork, as are the modules below
from chalice.test import Client

import app
import chalicelib.adapters.dynamodb.leases
import chalicelib.adapters.postgres.unit_of_work  # noqa: F401
from chalicelib.bootstrap import container
from chalicelib.idempotency.key import IdempotencyKey
from chalicelib.idempotency.runner import IdempotentRunner
from tests.faults.relay_process import KillSwitch

STEPS = (
    "before:claim",
    "after:claim",
    "before:commit",
    "after:commit",
    "before:finish",
    "after:finish",
)


def install(switch: KillSwitch, lease_limit: float) -> None:
    """Make the calls of the lease store and the commit steps of `switch`, and leases short."""
    services = container()
    store = services.idempotency.leases
    claim = store.claim

    def claim_briefly(key: IdempotencyKey, owner: UUID, *, lease_seconds: float) -> Any:
        return claim(key, owner, lease_seconds=lease_limit)

    store.claim = claim_briefly  # type: ignore[method-assign]
    leases = switch.wrap(store)
    services.idempotency.runner = IdempotentRunner(
        leases, services.idempotency.answers, services.telemetry.api_meter
    )
    begin = services.crm.unit_of_work

    def begin_with_steps(*arguments: Any) -> Any:
        work = begin(*arguments)
        commit = work.commit

        def commit_with_steps(result: Any = None) -> None:
            switch.reach("before:commit")
            commit(result)
            switch.reach("after:commit")

        work.commit = commit_with_steps  # type: ignore[method-assign]
        return work

    services.crm.unit_of_work = begin_with_steps  # type: ignore[assignment, method-assign]


def main(argv: list[str] | None = None) -> None:
    """Send POST requests with an idempotency key, one after another."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tenant", type=UUID, required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--path", default="/api/crm/contacts")
    parser.add_argument("--body", required=True)
    parser.add_argument("--die-at", default="")
    parser.add_argument("--lease-seconds", type=float, default=1.0)
    parser.add_argument("--times", type=int, default=1)
    arguments = parser.parse_args(argv)
    install(KillSwitch(arguments.die_at), arguments.lease_seconds)
    headers = {
        "X-Tenant-Id": str(arguments.tenant),
        "X-Roles": "sales",
        "Content-Type": "application/json",
        "Idempotency-Key": arguments.key,
    }
    body = arguments.body.encode()
    with Client(app.app, stage_name="local") as client:
        for _ in range(arguments.times):
            response = client.http.post(arguments.path, headers=headers, body=body)
            summary = {
                "status": response.status_code,
                "body": response.body.decode(),
                "replayed": response.headers.get("Idempotent-Replayed") == "true",
                "etag": response.headers.get("ETag"),
                "location": response.headers.get("Location"),
            }
            print(json.dumps(summary), flush=True)
