"""Builds what is deployed: a bundle with its byte code inside, and the template.

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
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from chalicelib.config.reader import refuse_plain_secrets
from chalicelib.shared.errors import Misconfigured
from infra.aws import bundle, policies, runtime, template, vendor
from infra.aws.steps import PackagingFailed, compile_python, run, tool
from infra.paths import ROOT

SOURCES = ("app.py", "chalicelib", ".chalice")
NOT_COPIED = shutil.ignore_patterns("__pycache__", "deployed", "deployments")
DEFAULT_REGION = "us-east-1"
LISTED = 12
"""How many packages of the bundle the output lists, the largest first."""


@dataclass(frozen=True, slots=True)
class PackagedApp:
    """A build: the template (`sam.json`), the bundle, and the digest of both.

    `materials` is the bill of materials beside them, for stages other than local.
    """

    template: Path
    bundle: Path
    digest: str
    materials: Path | None = None


def build(
    out: Path,
    *,
    stage: str,
    architecture: str = "x86_64",
    environment: Mapping[str, str] | None = None,
    progress: Callable[[str], None] = lambda _: None,
    root: Path = ROOT,
) -> PackagedApp:
    """Build the app of `root` for `stage` into `out`, for the running version of Python.

    `environment` is added to what `.chalice/config.json` gives every function. For stage
    local the bundle fits this machine, else Lambda on `architecture`. The same input gives
    the same bytes.

    Raises:
        PackagingFailed: a step failed, or a secret would be plain text in the template.
    """
    try:
        refuse_plain_secrets(environment or {}, stage)
    except Misconfigured as error:
        raise PackagingFailed(str(error)) from None
    target = runtime.for_stage(stage, architecture)
    requirements = vendor.archive(root, target, progress)
    progress("packaging")
    out = out.resolve()  # Chalice runs in another folder
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        packaged = _run_chalice(root, Path(temporary), stage, environment or {})
        sam = out / "sam.json"
        sam.write_text(template.finish((packaged / "sam.json").read_text(), stage, target))
        archive = out / "deployment.zip"
        bundle.write(archive, vendor=requirements, app=_compiled(packaged))
    digest = hashlib.sha256(archive.read_bytes() + sam.read_bytes()).hexdigest()
    if stage == "local":
        return PackagedApp(sam, archive, digest)
    from infra.aws import sbom  # its libraries take half a second to load

    materials = out / "bom.json"
    materials.write_text(sbom.document(_version(root)))
    return PackagedApp(sam, archive, digest, materials)


def _version(root: Path) -> str:
    project: str = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    return project


def _run_chalice(root: Path, temporary: Path, stage: str, environment: Mapping[str, str]) -> Path:
    """Return a folder with Chalice's `sam.json` and its archive without requirements."""
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


def _compiled(packaged: Path) -> Path:
    """Return a folder with the content of Chalice's archive and its runtime compiled."""
    folder = packaged / "app"
    shutil.unpack_archive(packaged / "deployment.zip", folder)
    compile_python(folder, "chalice", sourceless=True)
    return folder


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
    parser.add_argument(
        "--architecture",
        default="x86_64",
        choices=tuple(runtime.ARCHITECTURES),
        help="Lambda's processor",
    )
    arguments = parser.parse_args()
    started = time.monotonic()
    try:
        app = build(
            arguments.out,
            stage=arguments.stage,
            architecture=arguments.architecture,
            progress=lambda line: print(f"· {line}", file=sys.stderr),
        )
    except PackagingFailed as error:
        print(f"✗ {error}", file=sys.stderr)
        return 1
    seconds = time.monotonic() - started
    megabytes = app.bundle.stat().st_size / 1e6
    sizes = bundle.sizes(app.bundle)
    if arguments.json:
        result = {**asdict(app), "bundle_megabytes": round(megabytes, 1), "bytes": sizes}
        print(json.dumps(result, default=str))
    else:
        for name, size in list(sizes.items())[:LISTED]:
            print(f"{size / 1e6:7.2f} MB  {name}", file=sys.stderr)
        files = ", ".join(str(path) for path in (app.template, app.materials) if path)
        print(f"✓ {app.bundle} ({megabytes:.1f} MB), {files}, in {seconds:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
