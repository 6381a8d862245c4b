"""Building what is deployed: one bundle with its byte code inside, and the CloudFormation template.

Stock Chalice ships no `.pyc` files, and compiling on a cold start costs more than a second.
So Chalice packages a compiled copy of the sources without their requirements, and the
bundle is made of its archive and of the compiled requirements.
"""

import argparse
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from chalicelib.config.reader import refuse_plain_secrets
from chalicelib.shared.errors import Misconfigured
from infra.aws import bundle, policies, template, vendor
from infra.aws.steps import PackagingFailed, compile_python, run, tool

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("app.py", "chalicelib", ".chalice")
NOT_COPIED = shutil.ignore_patterns("__pycache__", "deployed", "deployments")
DEFAULT_REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class PackagedApp:
    """A build: the template (`sam.json`), the bundle beside it, and the digest of both."""

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
    """Build the app of `root` for `stage` into `out`.

    `environment` is added to what `.chalice/config.json` gives every function. The same
    input gives the same bytes.

    Raises:
        PackagingFailed: a step failed, or a secret would stand in the template as plain text.
    """
    try:
        refuse_plain_secrets(environment or {}, stage)
    except Misconfigured as error:
        raise PackagingFailed(str(error)) from None
    requirements = vendor.archive(root, progress)
    progress("packaging")
    out = out.resolve()  # Chalice runs in another folder
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        packaged = _run_chalice(root, Path(temporary), stage, environment or {})
        sam = Path(shutil.move(packaged / "sam.json", out / "sam.json"))
        archive = out / "deployment.zip"
        bundle.write(archive, vendor=requirements, app=packaged / "deployment.zip")
    digest = hashlib.sha256(archive.read_bytes() + sam.read_bytes()).hexdigest()
    return PackagedApp(sam, archive, digest)


def _run_chalice(root: Path, temporary: Path, stage: str, environment: Mapping[str, str]) -> Path:
    """Return a folder with Chalice's `sam.json` and its archive, which has no requirements."""
    copy = _copy_sources(root, temporary / "copy")
    config = copy / ".chalice" / "config.json"
    policies.narrow_all(config.parent, stage)
    template.add_environment(config, stage, environment)
    additions = temporary / "additions.json"
    additions.write_text(json.dumps(template.additions(config, stage)))
    compile_python(copy, "chalicelib")
    packaged = temporary / "packaged"
    options = ["--stage", stage, "--merge-template", str(additions)]
    region = os.environ.get("AWS_DEFAULT_REGION", DEFAULT_REGION)
    run(
        [tool("chalice"), "package", *options, str(packaged)],
        copy,
        {"AWS_DEFAULT_REGION": region},
    )
    return packaged


def _copy_sources(root: Path, copy: Path) -> Path:
    """Copy what is deployed, with an empty list of requirements; return `copy`."""
    copy.mkdir()
    for name in SOURCES:
        source = root / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=NOT_COPIED)
        else:
            shutil.copy(source, copy / name)
    (copy / "requirements.txt").touch()
    return copy


def main() -> int:
    """Build from the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m infra.aws.package", description=__doc__)
    parser.add_argument("--stage", default="prod", choices=("local", "dev", "prod"))
    parser.add_argument(
        "--out", type=Path, default=Path("build/package"), help="the folder to write to"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    arguments = parser.parse_args()
    started = time.monotonic()
    try:
        app = build(
            arguments.out,
            stage=arguments.stage,
            progress=lambda line: print(f"· {line}", file=sys.stderr),
        )
    except PackagingFailed as error:
        print(f"✗ {error}", file=sys.stderr)
        return 1
    seconds = time.monotonic() - started
    megabytes = app.bundle.stat().st_size / 1e6
    if arguments.json:
        print(json.dumps({**asdict(app), "bundle_megabytes": round(megabytes, 1)}, default=str))
    else:
        print(f"✓ {app.bundle} ({megabytes:.1f} MB) and {app.template}, in {seconds:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
