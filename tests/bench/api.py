"""How fast the API is: `python -m tests.bench.api [--seconds N] [--json FILE]`.

One process, one connection, a real PostgreSQL with durable settings, requests as API
Gateway sends them. Side by side: each operation of ours, the plainest Chalice handlers that
could stand in their place (`tests.bench.naive`), and pgbench with the statements of
create-job. DynamoDB is left out: its client is a matter of the network.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from chalicelib.adapters.postgres.answer_store import WRITE
from chalicelib.adapters.postgres.outbox_append import APPEND
from infra.local.ports import free_port
from infra.local.postgres import BINARIES, Postgres
from infra.ops import migrate

ROUNDS = 3
TENANT = str(uuid4())
CALLER = {"x-tenant-id": TENANT, "x-roles": "sales", "content-type": "application/json"}
PGBENCH = """\\set seq random(1, 2147483647)
begin; select set_config('app.tenant', 'TENANT', true);
INSERT INTO job (id, tenant_id, version, created_at, updated_at, account_id, contact_id, title, description, status,
  scheduled_for, amount_cents, currency)
VALUES (gen_random_uuid(), 'TENANT', 1, now(), now(), 'ACCOUNT', NULL, 'Replace the meter', NULL, 'Open', NULL, 12500,
  'USD');
APPEND;
WRITE;
commit;
"""


class Gateway:
    """Calls a Chalice app as Lambda does."""

    def __init__(self, app: Any) -> None:
        """Call `app`."""
        self._app = app

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Send one request; return API Gateway's answer."""
        resource = re.sub(r"[0-9a-f-]{36}", "{id}", path)
        event = {
            "resource": resource,
            "path": path,
            "httpMethod": method,
            "headers": {**CALLER, **(headers or {})},
            "multiValueHeaders": {},
            "queryStringParameters": None,
            "multiValueQueryStringParameters": None,
            "pathParameters": {"id": path.split("/")[4]} if "{id}" in resource else {},
            "stageVariables": None,
            "requestContext": {
                "httpMethod": method,
                "resourcePath": resource,
                "path": f"/api{path}",
                "stage": "api",
                "identity": {"sourceIp": "127.0.0.1"},
            },
            "body": None if body is None else json.dumps(body),
            "isBase64Encoded": False,
        }
        answer: dict[str, Any] = self._app(event, None)
        if answer["statusCode"] >= 300:
            raise RuntimeError(f"{method} {path}: {answer}")
        return answer


def timed(act: Callable[[], object], seconds: float) -> tuple[float, float]:
    """Return how often `act` ran a second, and its CPU time in ms; after a warm-up."""
    for _ in range(50):
        act()
    count = 0
    started = time.perf_counter()
    busy = time.process_time()
    while time.perf_counter() - started < seconds:
        act()
        count += 1
    return count / (time.perf_counter() - started), (time.process_time() - busy) / count * 1_000


def pgbench(postgres: Postgres, account: str, seconds: float, folder: Path) -> float:
    """Return transactions a second of create-job's statements on one connection, by pgbench."""
    payload = f"convert_to('{'x' * 400}', 'UTF8')"
    event = [
        "'job:' || gen_random_uuid()",
        "'TENANT'",
        "(:seq % 8)",
        "gen_random_uuid()::text",
    ]
    event += [
        "'aetherlink.events.jobcreated'",
        "'JobCreated'",
        "1",
        payload,
        "'{}'",
        "now()::text",
    ]
    note = [
        "'TENANT'",
        "'POST /api/crm/jobs'",
        "gen_random_uuid()::text",
        f"'{'0' * 64}'",
        "201",
        "'{}'",
        payload,
    ]
    append = _filled(APPEND, event)
    write = _filled(WRITE, note)
    script = PGBENCH.replace("APPEND", append).replace("WRITE", write)
    script = script.replace("TENANT", TENANT).replace("ACCOUNT", account)
    file = folder / "create-job.sql"
    file.write_text(script)
    command = [
        str(BINARIES / "pgbench"),
        "-n",
        "-c",
        "1",
        "-T",
        str(max(1, round(seconds))),
        "-f",
        str(file),
    ]
    done = subprocess.run(
        [*command, postgres.database_url("aetherlink_api")],
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds + 60,
    )
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    if found is None:
        raise RuntimeError(done.stdout + done.stderr)
    return float(found.group(1))


def _filled(statement: str, values: list[str]) -> str:
    for number in range(len(values), 0, -1):
        statement = statement.replace(f"${number}", values[number - 1])
    return " ".join(statement.split())


def measure(
    postgres: Postgres, seconds: float, folder: Path, say: Callable[[str], None]
) -> dict[str, Any]:
    """Run everything; return the figures."""
    os.environ |= {
        "STAGE": "local",
        "OIDC_ENABLED": "false",
        "LOG_LEVEL": "WARNING",
        "DATABASE_URL": postgres.database_url("aetherlink_api"),
    }
    import app
    from tests.bench import naive

    ours = Gateway(app.app)
    plain = Gateway(naive.app)
    account = json.loads(ours("POST", "/api/crm/accounts", {"name": "Northwind"})["body"])["id"]
    body = {"accountId": account, "title": "Replace the meter", "amountCents": 12_500}
    job = json.loads(ours("POST", "/api/crm/jobs", body)["body"])["id"]
    path = "/api/crm/jobs"
    ours("POST", path, body, {"idempotency-key": "again"})
    ways: dict[str, Callable[[], object]] = {
        "bare handler": lambda: plain("GET", "/bare"),
        "naive create": lambda: plain("POST", "/jobs", body),
        "create job": lambda: ours("POST", path, body),
        "create job with a key": lambda: ours(
            "POST", path, body, {"idempotency-key": str(uuid4())}
        ),
        "replay from the ledger": lambda: ours("POST", path, body, {"idempotency-key": "again"}),
        "read job": lambda: ours("GET", f"{path}/{job}"),
        "list 50 jobs": lambda: ours("GET", path),
    }
    rounds: list[dict[str, tuple[float, float]]] = []
    for number in range(ROUNDS):
        say(f"· round {number + 1} of {ROUNDS}")
        found = {name: timed(act, seconds / ROUNDS) for name, act in ways.items()}
        rounds.append(
            {
                **found,
                "pgbench": (pgbench(postgres, account, seconds / ROUNDS, folder), 0.0),
            }
        )
    figures: dict[str, Any] = {
        name: {
            "per_second": statistics.median(one[name][0] for one in rounds),
            "cpu_ms": statistics.median(one[name][1] for one in rounds),
        }
        for name in rounds[0]
    }
    keyed = figures["create job with a key"]
    naively = figures["naive create"]
    figures["throughput_of_pgbench"] = keyed["per_second"] / figures["pgbench"]["per_second"]
    figures["cpu_of_naive"] = keyed["cpu_ms"] / naively["cpu_ms"]
    for name in ways:
        say(
            f"{name:24} {figures[name]['per_second']:8.0f}/s   {figures[name]['cpu_ms']:6.2f} ms CPU"
        )
    say(f"{'pgbench, same statements':24} {figures['pgbench']['per_second']:8.0f}/s")
    say(f"create job with a key has {figures['throughput_of_pgbench']:.2f} of pgbench's throughput")
    say(f"and {figures['cpu_of_naive']:.2f} of the naive handler's CPU time")
    return figures


def database(folder: Path) -> Iterator[Postgres]:
    """Yield a durable PostgreSQL with the product's schema."""
    server = Postgres(folder / "postgres", free_port())
    server.start()
    try:
        server.create_database()
        migrate.upgrade(server.database_url())
        passwords = server.passwords()
        migrate.set_passwords(server.database_url(), {role: passwords[role] for role in migrate.LOGIN_ROLES})
        yield server
    finally:
        server.stop()


def main() -> int:
    """Run the bench; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.api", description=__doc__)
    parser.add_argument(
        "--seconds", type=float, default=12.0, help="for each operation, in all rounds"
    )
    parser.add_argument("--json", type=Path, help="write the figures there")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="aetherlink-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        for postgres in database(folder):
            figures = measure(
                postgres, chosen.seconds, folder, lambda line: print(line, flush=True)
            )
    if chosen.json:
        chosen.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
