"""The system on Docker Compose: `python -m infra.compose up`. `make up` does without Docker."""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from chalicelib.adapters.postgres import driver
from chalicelib.config import Settings
from chalicelib.config.database import DatabaseSettings
from infra.aws import secrets
from infra.aws.package import build
from infra.local.emulator import Emulator
from infra.local.errors import ServiceFailed
from infra.local.ports import Ports
from infra.local.postgres import create_owner
from infra.local.progress import Progress
from infra.ops import migrate, topics
from infra.paths import ROOT

FILE = ROOT / "localstack-compose.yml"
UP_SECONDS = 600
PROBE_SECONDS = 30
PASSWORD = "local-development"  # noqa: S105 -- of containers on loopback, in the compose file too
STAGE = "local"
NO_DOCKER = 2
DIFFERENCES = """
  API  {api}/
  What differs from `make up`:
  sign-in        no issuer: send X-Tenant-Id and X-Roles; no `make token`, no `make demo`
  demo services  none, so no `make drill`
  Grafana        http://127.0.0.1:3000 (AETHERLINK_GRAFANA_PORT)"""


def main() -> int:
    """Run one command; return the exit code: 0 done, 1 failed, 2 Docker is missing."""
    parser = argparse.ArgumentParser(prog="python -m infra.compose", description=__doc__)
    parser.add_argument("command", choices=("up", "down"))
    arguments = parser.parse_args()
    reason = unavailable()
    if reason:
        hint = "`make up` starts the same services without Docker."
        print(f"✗ {reason}\n  {hint}", file=sys.stderr)
        return NO_DOCKER
    try:
        if arguments.command == "up":
            up()
        else:
            _compose(["down"])
    except ServiceFailed as error:
        print(f"✗ {error}", file=sys.stderr)
        return 1
    return 0


def unavailable() -> str:
    """Return why Docker Compose cannot be used here, or an empty text."""
    if not shutil.which("docker"):
        return "Docker is not installed."
    for command, reason in (
        (["info"], "The Docker daemon does not answer."),
        (["compose", "version"], "Docker Compose is not installed."),
    ):
        result = subprocess.run(
            ["docker", *command], capture_output=True, timeout=PROBE_SECONDS, check=False
        )
        if result.returncode:
            return reason
    return ""


def up() -> None:
    """Start the containers, wait until they are healthy, migrate, create topics, deploy.

    Raises:
        ServiceFailed: a container does not start, or the deployment fails.
    """
    ports = Ports.from_env()
    progress = Progress(lambda line: print(line, flush=True))
    with progress.step("starting the containers", "containers are healthy"):
        _compose(["up", "--detach", "--wait"])
    with progress.step("migrating the database", "database migrated"):
        _migrate(f"127.0.0.1:{ports.postgres}")
    with progress.step("creating the topics", "topics created"):
        kafka = {
            "bootstrap_servers": f"127.0.0.1:{ports.kafka}",
            "request_timeout_ms": 20_000,
        }
        topics.ensure(Settings().changed(kafka=kafka))
    with progress.step("building and deploying the functions", "functions deployed"):
        api_url = _deploy(Emulator(ROOT / ".local" / "compose", ports.emulator))
    print(DIFFERENCES.format(api=api_url), flush=True)


def _url(role: str, address: str, database: str = "aetherlink") -> str:
    return f"postgresql://{role}:{PASSWORD}@{address}/{database}"


def _migrate(address: str) -> None:
    superuser = _url("postgres", address, "postgres")
    with driver.connect(superuser, DatabaseSettings(), name="compose") as connection:
        connection.autocommit = True
        create_owner(connection, PASSWORD, "aetherlink")
    owner = _url("aetherlink_owner", address)
    migrate.upgrade(owner)
    migrate.set_passwords(owner, dict.fromkeys(migrate.LOGIN_ROLES, PASSWORD))


def _deploy(emulator: Emulator) -> str:
    """Deploy to the LocalStack container; return the API's URL."""
    container = "postgres:5432"  # the functions run in containers too
    secret_settings = {
        "DATABASE_URL": _url("aetherlink_api", container),
        "RELAY_DATABASE_URL": _url("aetherlink_relay", container),
    }
    emulator.store_secrets(
        {secrets.name(setting, STAGE): text for setting, text in secret_settings.items()}
    )
    environment = {
        "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092",
        "OIDC_ENABLED": "false",  # a container cannot reach an issuer on this machine's loopback
        **secrets.references(secret_settings, STAGE),
    }
    app = build(emulator.home / "package", stage=STAGE, environment=environment)
    emulator.home.mkdir(parents=True, exist_ok=True)
    return emulator.deploy(app, key=app.digest)


def _compose(arguments: Sequence[str]) -> None:
    result = subprocess.run(
        ["docker", "compose", "-f", str(FILE), *arguments],
        cwd=Path(FILE).parent,
        env={**os.environ, "AETHERLINK_POSTGRES_PASSWORD": PASSWORD},
        timeout=UP_SECONDS,
        check=False,
    )
    if result.returncode:
        raise ServiceFailed(
            "compose",
            f"{' '.join(arguments)} failed",
            remedy=f"read `docker compose -f {FILE.name} logs`, then try again",
        )


if __name__ == "__main__":
    sys.exit(main())
