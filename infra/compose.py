"""The system on Docker Compose: `python -m infra.compose up`. Needs Docker; `make up` does without it."""

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
from infra.aws.package import ROOT, build
from infra.local.emulator import Emulator
from infra.local.postgres import create_owner
from infra.local.process import PartFailed
from infra.local.stack import Ports
from infra.ops import migrate, topics

FILE = ROOT / "localstack-compose.yml"
UP_SECONDS = 600
PASSWORD = "local-development"
NO_DOCKER = 2


def main() -> int:
    """Run one command; return the exit code: 2 where Docker is missing."""
    parser = argparse.ArgumentParser(prog="python -m infra.compose", description=__doc__)
    parser.add_argument("command", choices=("up", "down"))
    chosen = parser.parse_args()
    reason = why_not()
    if reason:
        print(
            f"✗ {reason}\n  `make up` starts the same parts without Docker.",
            file=sys.stderr,
        )
        return NO_DOCKER
    try:
        up() if chosen.command == "up" else _compose(["down"])
    except PartFailed as problem:
        print(f"✗ {problem}", file=sys.stderr)
        return 1
    return 0


def why_not() -> str:
    """Return why Docker Compose cannot be used here, or an empty text."""
    if not shutil.which("docker"):
        return "Docker is not installed."
    for command, reason in (
        (["info"], "The Docker daemon does not answer."),
        (["compose", "version"], "No Compose."),
    ):
        if subprocess.run(
            ["docker", *command], capture_output=True, timeout=30, check=False
        ).returncode:
            return reason
    return ""


def up() -> None:
    """Start the containers, wait until they are healthy, migrate, create topics, deploy. Raises `PartFailed`."""
    ports = Ports.from_env()
    _compose(["up", "--detach", "--wait"])
    print("✓ containers are healthy", flush=True)

    def url(
        role: str, database: str = "aetherlink", where: str = f"127.0.0.1:{ports.postgres}"
    ) -> str:
        return f"postgresql://{role}:{PASSWORD}@{where}/{database}"

    with driver.connect(
        url("postgres", "postgres"), DatabaseSettings(), name="compose"
    ) as connection:
        connection.autocommit = True
        create_owner(connection, PASSWORD, "aetherlink")
    migrate.upgrade(url("aetherlink_owner"))
    migrate.set_passwords(url("aetherlink_owner"), dict.fromkeys(migrate.LOGIN_ROLES, PASSWORD))
    print("✓ database migrated", flush=True)
    topics.ensure(
        Settings().changed(
            kafka={
                "bootstrap_servers": f"127.0.0.1:{ports.kafka}",
                "request_timeout_ms": 20_000,
            }
        )
    )
    print("✓ topics created", flush=True)
    inside = "postgres:5432"
    kept = {
        "DATABASE_URL": url("aetherlink_api", where=inside),
        "RELAY_DATABASE_URL": url("aetherlink_relay", where=inside),
    }
    home = ROOT / ".local" / "compose"
    emulator = Emulator(home, ports.emulator)
    emulator.keep({secrets.name(one, "local"): text for one, text in kept.items()})
    environment = {
        "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092",
        "OIDC_ENABLED": "false",  # its functions run in containers, where the local issuer's loopback is another
        **secrets.references(kept, "local"),
    }
    app = build(home / "package", stage="local", environment=environment)
    home.mkdir(parents=True, exist_ok=True)
    print(
        f"✓ functions deployed\n\n  API  {emulator.deploy(app, key=app.digest)}/",
        flush=True,
    )
    print(
        "  development sign-in: send X-Tenant-Id and X-Roles. `make up` has an issuer of real tokens.",
        flush=True,
    )


def _compose(arguments: Sequence[str]) -> None:
    command = ["docker", "compose", "-f", str(FILE), *arguments]
    env = {**os.environ, "AETHERLINK_POSTGRES_PASSWORD": PASSWORD}
    done = subprocess.run(command, cwd=Path(FILE).parent, env=env, timeout=UP_SECONDS, check=False)
    if done.returncode:
        logs = f"docker compose -f {FILE.name} logs"
        raise PartFailed(
            "compose",
            f"{' '.join(arguments)} failed",
            remedy=f"read `{logs}`, then try again",
        )


if __name__ == "__main__":
    sys.exit(main())
