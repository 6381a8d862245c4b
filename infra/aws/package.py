"""Building what is deployed: one bundle with its byte code inside, and the CloudFormation template.

Stock Chalice ships no `.pyc`, and compiling on a cold start costs more than a second. So a
build copy is made whose `vendor` folder holds the hash-locked requirements, compiled, and
whose own requirements file is empty. The same input gives the same bytes.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from chalicelib.config.reader import refuse_plain_secrets
from chalicelib.shared.errors import Misconfigured
from infra.aws import autoheal, policies

ROOT = Path(__file__).resolve().parents[2]
MERGED = Path(__file__).with_name("gateway-responses.json")
SOURCES = ("app.py", "chalicelib", ".chalice")
PLATFORM = "x86_64-manylinux_2_28"
PYTHON = "3.11"
EPOCH = (1980, 1, 1, 0, 0, 0)
SECONDS = 300
LAMBDA_HAS = ("boto3", "botocore", "s3transfer")
"""What Lambda's own runtime brings; 25 MB that need not travel. The emulator's workers have them too."""

THROTTLE = {"ThrottlingRateLimit": 500, "ThrottlingBurstLimit": 250}
"""Requests a second, and at once, that the gateway takes of everybody together; the rest get its 429. Tenants have a
limit of their own (TENANT_RATE_PER_SECOND): a usage plan would count API keys, and tenants
have none."""


class PackagingFailed(Exception):
    """A step of the build failed; the text has its output and what to do."""


@dataclass(frozen=True, slots=True)
class PackagedApp:
    """A build: the template (`sam.json`, beside the bundle it names), the bundle, and the digest of both."""

    template: Path
    bundle: Path
    digest: str


def build(
    out: Path,
    *,
    stage: str,
    environment: Mapping[str, str] | None = None,
    progress: Callable[[str], None] = lambda _: None,
    root: Path = ROOT,
) -> PackagedApp:
    """Build the app of `root` for `stage` into `out`; `environment` is added to every function's.

    Raises:
        PackagingFailed: a step went wrong, or a secret would lie open in the template.
    """
    try:
        refuse_plain_secrets(environment or {}, stage)
    except Misconfigured as problem:
        raise PackagingFailed(str(problem)) from None
    out.mkdir(parents=True, exist_ok=True)
    vendor = _vendor(root, progress)
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary) / "build"
        _copy(root, copy, vendor)
        policies.narrow_all(copy / ".chalice", stage)
        if environment:
            _add_environment(copy / ".chalice" / "config.json", stage, environment)
        progress("packaging")
        _run(
            [
                sys.executable,
                "-m",
                "compileall",
                "-q",
                "--invalidation-mode",
                "unchecked-hash",
                "chalicelib",
            ],
            copy,
        )
        merged = _resources(
            copy / ".chalice" / "config.json", stage, Path(temporary) / "merged.json"
        )
        package = [
            _tool("chalice"),
            "package",
            "--stage",
            stage,
            "--merge-template",
            str(merged),
            str(out),
        ]
        _run(
            package,
            copy,
            {"AWS_DEFAULT_REGION": os.environ.get("AWS_DEFAULT_REGION", "us-east-1")},
        )
    bundle = out / "deployment.zip"
    template = out / "sam.json"
    _make_reproducible(bundle)
    digest = hashlib.sha256(bundle.read_bytes() + template.read_bytes()).hexdigest()
    return PackagedApp(template, bundle, digest)


def _vendor(root: Path, progress: Callable[[str], None]) -> Path:
    """Return a folder with the locked requirements, compiled; made once per lock file."""
    lock = root / "requirements.txt"
    key = hashlib.sha256(
        lock.read_bytes() + f"{PLATFORM} {PYTHON} {LAMBDA_HAS}".encode()
    ).hexdigest()[:16]
    cached = root / ".local" / "cache" / f"vendor-{key}"
    if cached.exists():
        return cached
    progress("installing the locked requirements")
    cached.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cached.parent) as temporary:
        target = Path(temporary) / "vendor"
        command = [
            _tool("uv"),
            "pip",
            "install",
            "-q",
            "--require-hashes",
            "--no-deps",
            "--only-binary",
            ":all:",
        ]
        where = [
            "--target",
            str(target),
            "--python-platform",
            PLATFORM,
            "--python-version",
            PYTHON,
            "-r",
            str(lock),
        ]
        _run([*command, *where], root)
        for name in (*LAMBDA_HAS, "bin"):
            shutil.rmtree(target / name, ignore_errors=True)
        for folder in [*target.rglob("tests"), *target.rglob("__pycache__")]:
            shutil.rmtree(folder, ignore_errors=True)
        _run(
            [
                sys.executable,
                "-m",
                "compileall",
                "-q",
                "--invalidation-mode",
                "unchecked-hash",
                "vendor",
            ],
            target.parent,
        )
        if not cached.exists():
            target.rename(cached)
    return cached


def _copy(root: Path, copy: Path, vendor: Path) -> None:
    copy.mkdir()
    for name in SOURCES:
        source = root / name
        if source.is_dir():
            shutil.copytree(
                source,
                copy / name,
                ignore=shutil.ignore_patterns("__pycache__", "deployed", "deployments"),
            )
        else:
            shutil.copy(source, copy / name)
    shutil.copytree(vendor, copy / "vendor")
    (copy / "requirements.txt").touch()


def _add_environment(config: Path, stage: str, environment: Mapping[str, str]) -> None:
    settings = json.loads(config.read_text())
    chosen = settings["stages"].setdefault(stage, {})
    chosen["environment_variables"] = {
        **chosen.get("environment_variables", {}),
        **environment,
    }
    config.write_text(json.dumps(settings))


def _resources(config: Path, stage: str, into: Path) -> Path:
    """Write what the template has besides the functions: gateway responses, the stage's tables, SSM documents."""
    merged = json.loads(MERGED.read_text())
    environment = json.loads(config.read_text())["stages"][stage]["environment_variables"]
    table = idempotency_table(environment["IDEMPOTENCY_TABLE"])
    merged["Resources"]["IdempotencyTable"] = {
        "Type": "AWS::DynamoDB::Table",
        "Properties": table,
    }
    throttled = [{"HttpMethod": "*", "ResourcePath": "/*", **THROTTLE}]
    merged["Resources"]["RestAPI"] = {"Properties": {"MethodSettings": throttled}}
    merged["Resources"] |= autoheal.resources(environment[autoheal.PREFIX_SETTING])
    into.write_text(json.dumps(merged))
    return into


def idempotency_table(name: str) -> dict[str, object]:
    """Return the table of idempotency keys, as CloudFormation has it."""
    return {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "TimeToLiveSpecification": {"AttributeName": "expires_at", "Enabled": True},
    }


def _make_reproducible(bundle: Path) -> None:
    """Write the bundle anew with its entries in order and without times."""
    with zipfile.ZipFile(bundle) as old:
        entries = sorted(
            (info.filename, old.read(info)) for info in old.infolist() if not info.is_dir()
        )
    with zipfile.ZipFile(bundle, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as new:
        for name, content in entries:
            info = zipfile.ZipInfo(name, EPOCH)
            info.external_attr = 0o644 << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(info, content)


def _tool(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def _run(command: list[str], where: Path, env: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(
        command,
        cwd=where,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-2_000:]
        raise PackagingFailed(
            f"{' '.join(command[:4])} failed:\n{said}\nremedy: `make clean`, then try again"
        )


def main() -> int:
    """Build from the command line."""
    parser = argparse.ArgumentParser(prog="python -m infra.aws.package", description=__doc__)
    parser.add_argument("--stage", default="prod", choices=("local", "dev", "prod"))
    parser.add_argument("--out", type=Path, default=Path("build/package"))
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    chosen = parser.parse_args()
    started = time.monotonic()
    try:
        made = build(
            chosen.out,
            stage=chosen.stage,
            progress=lambda line: print(f"· {line}", file=sys.stderr),
        )
    except PackagingFailed as problem:
        print(problem, file=sys.stderr)
        return 1
    megabytes = made.bundle.stat().st_size / 1e6
    if chosen.json:
        print(json.dumps({**asdict(made), "bundle_megabytes": round(megabytes, 1)}, default=str))
    else:
        print(
            f"✓ {made.bundle} ({megabytes:.1f} MB) and {made.template}, in {time.monotonic() - started:.1f} s"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
