"""One request in a process of its own that can be told to die on the way: `python -m ...` prints what was answered."""

import argparse
import json
import os
from typing import Any
from uuid import UUID

from chalice.test import Client

import app
from chalicelib.bootstrap import container
from chalicelib.idempotency.runner import IdempotentRunner
from tests.faults.relay_process import Deadly

STEPS = (
    "before:claim",
    "after:claim",
    "before:commit",
    "after:commit",
    "before:finish",
    "after:finish",
)


def main() -> None:
    """Send one POST with an idempotency key."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tenant", type=UUID, required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--path", default="/api/crm/contacts")
    parser.add_argument("--body", required=True)
    parser.add_argument("--die-at", default="")
    parser.add_argument("--lease-seconds", type=float, default=1.0)
    parser.add_argument("--times", type=int, default=1)
    chosen = parser.parse_args()
    once = container().idempotency.runner
    begin = container().crm.unit_of_work
    leases: Any = Deadly(once._leases, chosen.die_at)
    claim = leases.claim
    leases.__dict__["claim"] = lambda key, owner, *, lease_seconds: claim(
        key, owner, lease_seconds=chosen.lease_seconds
    )
    container().idempotency.runner = IdempotentRunner(leases, once._ledger, once._meter)

    def deadly(*values: Any) -> Any:
        work = begin(*values)
        commit = work.commit

        def dying(result: Any = None) -> None:
            guard = Deadly(object(), chosen.die_at)
            guard._reach("before:commit")
            commit(result)
            guard._reach("after:commit")

        work.commit = dying  # type: ignore[method-assign]
        return work

    container().crm.unit_of_work = deadly  # type: ignore[assignment, method-assign]
    headers = {
        "X-Tenant-Id": str(chosen.tenant),
        "X-Roles": "sales",
        "Content-Type": "application/json",
        "Idempotency-Key": chosen.key,
    }
    with Client(app.app, stage_name="local") as client:
        for _ in range(chosen.times):
            answer = client.http.post(chosen.path, headers=headers, body=chosen.body.encode())
            said = {
                "status": answer.status_code,
                "body": answer.body.decode(),
                "replayed": answer.headers.get("Idempotent-Replayed") == "true",
                "etag": answer.headers.get("ETag"),
                "location": answer.headers.get("Location"),
            }
            print(json.dumps(said), flush=True)


if __name__ == "__main__":
    os.environ.setdefault("STAGE", "local")
    main()
