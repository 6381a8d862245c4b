"""How fast the API is: `python -m tests.bench.api [--seconds N | --smoke] [--json FILE]`.

One process, one connection, a real PostgreSQL with durable settings, requests as API Gateway
sends them. Side by side: operations of the product, the plainest Chalice handlers that could
replace them (`tests.bench.naive`), and pgbench with the statements of create-job. DynamoDB is
left out, because its latency is the network's.
"""

import argparse
import json
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from infra.local.data import migrate_database
from infra.local.ports import free_port
from infra.local.postgres import Postgres
from tests.bench.pgbench import transactions_per_second

TENANT = str(uuid4())
CALLER = {"x-tenant-id": TENANT, "x-roles": "sales", "content-type": "application/json"}
JOBS = "/api/crm/jobs"
PGBENCH = "pgbench"

Operations = Mapping[str, Callable[[], object]]


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured: `seconds` for each operation, in all rounds together."""

    seconds: float
    rounds: int = 3
    warm_up_calls: int = 50


DEFAULT_SECONDS = 12.0
SMOKE = Scale(0.05, rounds=1, warm_up_calls=2)


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


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
        """Send one request; return API Gateway's response."""
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
        response: dict[str, Any] = self._app(event, None)
        if response["statusCode"] >= 300:
            raise RuntimeError(f"{method} {path}: {response}")
        return response


def timed(
    operation: Callable[[], object], seconds: float, warm_up_calls: int
) -> tuple[float, float]:
    """Return how often `operation` runs a second, and its CPU time in ms."""
    for _ in range(warm_up_calls):
        operation()
    count = 0
    started = time.perf_counter()
    cpu_started = time.process_time()
    while time.perf_counter() - started < seconds:
        operation()
        count += 1
    cpu_seconds = time.process_time() - cpu_started
    return count / (time.perf_counter() - started), cpu_seconds / count * 1_000


def prepare(database_url: str) -> tuple[Operations, str]:
    """Return the operations to measure, and the account whose jobs they create."""
    os.environ |= {
        "STAGE": "local",
        "OIDC_ENABLED": "false",
        "LOG_LEVEL": "WARNING",
        "DATABASE_URL": database_url,
    }
    import app
    from tests.bench.naive import naive_app

    product = Gateway(app.app)
    naive = Gateway(naive_app(database_url))
    account: str = json.loads(product("POST", "/api/crm/accounts", {"name": "Northwind"})["body"])[
        "id"
    ]
    body = {"accountId": account, "title": "Replace the meter", "amountCents": 12_500}
    job = json.loads(product("POST", JOBS, body)["body"])["id"]
    replayed = {"idempotency-key": "replayed"}
    product("POST", JOBS, body, replayed)
    operations: Operations = {
        "bare handler": lambda: naive("GET", "/bare"),
        "naive create": lambda: naive("POST", "/jobs", body),
        "create job": lambda: product("POST", JOBS, body),
        "create job with a key": lambda: product(
            "POST", JOBS, body, {"idempotency-key": str(uuid4())}
        ),
        "replay a stored answer": lambda: product("POST", JOBS, body, replayed),
        "read job": lambda: product("GET", f"{JOBS}/{job}"),
        "list 50 jobs": lambda: product("GET", JOBS),
    }
    return operations, account


def measure(database_url: str, scale: Scale, folder: Path) -> dict[str, Any]:
    """Measure everything; return the figures."""
    operations, account = prepare(database_url)
    seconds = scale.seconds / scale.rounds
    rounds: list[dict[str, tuple[float, float]]] = []
    for number in range(scale.rounds):
        say(f"· round {number + 1} of {scale.rounds}")
        results = {
            name: timed(operation, seconds, scale.warm_up_calls)
            for name, operation in operations.items()
        }
        rate = transactions_per_second(database_url, TENANT, account, seconds, folder)
        results[PGBENCH] = (rate, 0.0)
        rounds.append(results)
    figures: dict[str, Any] = {
        name: {
            "per_second": statistics.median(results[name][0] for results in rounds),
            "cpu_ms": statistics.median(results[name][1] for results in rounds),
        }
        for name in rounds[0]
    }
    keyed = figures["create job with a key"]
    figures["throughput_of_pgbench"] = keyed["per_second"] / figures[PGBENCH]["per_second"]
    figures["cpu_of_naive"] = keyed["cpu_ms"] / figures["naive create"]["cpu_ms"]
    report(figures, list(operations))
    return figures


def report(figures: Mapping[str, Any], operations: Sequence[str]) -> None:
    """Print the figures."""
    for name in operations:
        rate = figures[name]["per_second"]
        say(f"{name:24} {rate:8.0f}/s   {figures[name]['cpu_ms']:6.2f} ms CPU")
    say(f"{'pgbench, same statements':24} {figures[PGBENCH]['per_second']:8.0f}/s")
    say(f"create job with a key has {figures['throughput_of_pgbench']:.2f} of pgbench's throughput")
    say(f"and {figures['cpu_of_naive']:.2f} of the naive handler's CPU time")


@contextmanager
def own_database(folder: Path) -> Iterator[str]:
    """Start a durable PostgreSQL with the product's schema; yield its URL for the API's role."""
    server = Postgres(folder / "postgres", free_port())
    server.start()
    try:
        migrate_database(server)
        yield server.database_url("aetherlink_api")
    finally:
        server.stop()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the bench; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.api", description=__doc__)
    parser.add_argument(
        "--seconds",
        type=float,
        default=DEFAULT_SECONDS,
        help="for each operation, in all rounds together",
    )
    parser.add_argument("--smoke", action="store_true", help="only check that the bench runs")
    parser.add_argument(
        "--database-url", help="measure on this database, instead of starting one; it gets rows"
    )
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args(argv)
    scale = SMOKE if arguments.smoke else Scale(arguments.seconds)
    with tempfile.TemporaryDirectory(prefix="aetherlink-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        database: AbstractContextManager[str] = own_database(folder)
        if arguments.database_url:
            database = nullcontext(arguments.database_url)
        with database as url:
            figures = measure(url, scale, folder)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
