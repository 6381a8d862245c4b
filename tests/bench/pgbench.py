"""The upper limit of create-job: its statements on one connection, sent by pgbench."""

import re
import subprocess
from pathlib import Path

from chalicelib.adapters.postgres.answer_store import WRITE
from chalicelib.adapters.postgres.outbox_append import APPEND
from infra.local.postgres import BINARIES

SCRIPT = """\\set seq random(1, 2147483647)
begin; select set_config('app.tenant', 'TENANT', true);
INSERT INTO job (id, tenant_id, version, created_at, updated_at, account_id, contact_id, title,
  description, status, scheduled_for, amount_cents, currency)
VALUES (gen_random_uuid(), 'TENANT', 1, now(), now(), 'ACCOUNT', NULL, 'Replace the meter', NULL,
  'Open', NULL, 12500, 'USD');
APPEND;
WRITE;
commit;
"""

PAYLOAD = f"convert_to('{'x' * 400}', 'UTF8')"
APPEND_VALUES = (
    "'job:' || gen_random_uuid()",
    "'TENANT'",
    "(:seq % 8)",
    "gen_random_uuid()::text",
    "'aetherlink.events.jobcreated'",
    "'JobCreated'",
    "1",
    PAYLOAD,
    "'{}'",
    "now()::text",
)
WRITE_VALUES = (
    "'TENANT'",
    "'POST /api/crm/jobs'",
    "gen_random_uuid()::text",
    f"'{'0' * 64}'",
    "201",
    "'{}'",
    PAYLOAD,
)


def transactions_per_second(
    database_url: str, tenant: str, account: str, seconds: float, folder: Path
) -> float:
    """Return how many jobs a second pgbench creates; it runs for whole seconds, at least one."""
    script = SCRIPT.replace("APPEND", _with_values(APPEND, APPEND_VALUES))
    script = script.replace("WRITE", _with_values(WRITE, WRITE_VALUES))
    script = script.replace("TENANT", tenant).replace("ACCOUNT", account)
    file = folder / "create-job.sql"
    file.write_text(script)
    command = [str(BINARIES / "pgbench"), "-n", "-c", "1"]
    command += ["-T", str(max(1, round(seconds))), "-f", str(file), database_url]
    result = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=seconds + 60
    )
    rate = re.search(r"tps = ([\d.]+)", result.stdout)
    if rate is None:
        raise RuntimeError(result.stdout + result.stderr)
    return float(rate.group(1))


def _with_values(statement: str, values: tuple[str, ...]) -> str:
    """Replace `$1`, `$2`, ... by `values`, in one line."""
    for number in range(len(values), 0, -1):
        statement = statement.replace(f"${number}", values[number - 1])
    return " ".join(statement.split())
