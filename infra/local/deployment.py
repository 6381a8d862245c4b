"""Building the product's package and deploying it to the emulator, where it has changed."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from infra.aws.package import build
from infra.aws.steps import PackagingFailed
from infra.local.emulator import Emulator
from infra.local.errors import ServiceFailed
from infra.local.progress import Progress
from infra.paths import ROOT

INPUTS = ("app.py", "chalicelib", ".chalice", "requirements.txt", "infra/aws")
"""Whatever the package is made of; paths in the checkout."""


def deploy(
    emulator: Emulator,
    environment: Mapping[str, str],
    *,
    folder: Path,
    stage: str,
    progress: Progress,
) -> str:
    """Deploy the product unless it is deployed and unchanged; return the API's URL.

    Args:
        emulator: where to; it is running.
        environment: the functions' settings.
        folder: where the package is built.
        stage: what is deployed.
        progress: takes the steps.

    Raises:
        ServiceFailed: it cannot be built or deployed.
    """
    key = deployment_key(environment)
    deployed = emulator.deployed()
    if deployed.get("key") == key:
        progress.say("✓ the functions are deployed and unchanged")
        return deployed["api_url"]
    try:
        with progress.step("building the package", "package built"):
            app = build(
                folder,
                stage=stage,
                environment=environment,
                progress=lambda line: progress.say(f"·   {line}"),
            )
    except PackagingFailed as error:
        raise ServiceFailed("package", str(error), remedy="`make clean`, then `make up`") from error
    with progress.step(
        "deploying the functions through CloudFormation", "functions deployed, the API answers"
    ):
        return emulator.deploy(app, key=key)


def deployment_key(environment: Mapping[str, str]) -> str:
    """Return a digest of everything that goes into a deployment: sources, lock file, settings."""
    digest = hashlib.sha256(json.dumps(dict(environment)).encode())
    for file in _input_files():
        digest.update(str(file.relative_to(ROOT)).encode() + file.read_bytes())
    return digest.hexdigest()


def _input_files() -> Iterator[Path]:
    for name in INPUTS:
        start = ROOT / name
        for file in [start] if start.is_file() else sorted(start.rglob("*")):
            compiled = "__pycache__" in file.parts or file.suffix == ".pyc"
            if file.is_file() and not compiled:
                yield file
