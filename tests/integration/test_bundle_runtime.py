"""The bundle fits the runtime that the template names: its wheels, its byte code, its C library."""

import importlib.util
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from infra.aws import package, runtime
from infra.aws.package import PackagedApp
from infra.aws.steps import PackagingFailed

SECRET = {"CURSOR_SECRET": "secretsmanager:aetherlink/prod/cursors"}
VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"
GLIBC = re.compile(rb"GLIBC_(\d+)\.(\d+)")
ELF_MACHINES = {"x86_64": 0x3E, "arm64": 0xB7}


@pytest.fixture(scope="module", params=["x86_64", "arm64"])
def architecture(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def app(architecture: str, tmp_path_factory: pytest.TempPathFactory) -> PackagedApp:
    out = tmp_path_factory.mktemp(architecture)
    return package.build(out, stage="prod", architecture=architecture, environment=SECRET)


@pytest.fixture(scope="module")
def content(app: PackagedApp) -> dict[str, bytes]:
    with zipfile.ZipFile(app.bundle) as bundle:
        return {name: bundle.read(name) for name in bundle.namelist()}


@pytest.fixture(scope="module")
def extensions(content: dict[str, bytes]) -> dict[str, bytes]:
    return {name: data for name, data in content.items() if name.endswith(".so")}


def test_every_function_runs_on_the_python_that_built_it(
    app: PackagedApp, architecture: str
) -> None:
    resources = json.loads(app.template.read_text())["Resources"].values()
    functions = [r["Properties"] for r in resources if r["Type"] == "AWS::Serverless::Function"]
    assert {(f["Runtime"], *f["Architectures"]) for f in functions} == {
        (f"python{VERSION}", architecture)
    }


def test_every_extension_is_for_this_python_and_processor(
    extensions: dict[str, bytes], architecture: str
) -> None:
    assert len(extensions) >= 10
    tag = f"cpython-{VERSION.replace('.', '')}-"
    for name, data in extensions.items():
        assert tag in name or ".abi3." in name, name
        assert data[:4] == b"\x7fELF", name
        assert int.from_bytes(data[18:20], "little") == ELF_MACHINES[architecture], name


def test_no_extension_needs_a_newer_c_library_than_lambda_has(
    extensions: dict[str, bytes],
) -> None:
    available = (2, 26) if sys.version_info < (3, 12) else (2, 34)
    for name, data in extensions.items():
        needed = {(int(major), int(minor)) for major, minor in GLIBC.findall(data)}
        assert max(needed, default=(0, 0)) <= available, name


def test_all_byte_code_is_this_python_s(content: dict[str, bytes]) -> None:
    compiled = {name: data for name, data in content.items() if name.endswith(".pyc")}
    assert len(compiled) > 300
    wrong = [name for name, data in compiled.items() if data[:4] != importlib.util.MAGIC_NUMBER]
    assert not wrong


def test_the_bundle_holds_nothing_that_only_a_type_checker_or_a_compiler_reads(
    content: dict[str, bytes],
) -> None:
    suffixes = {Path(name).suffix for name in content}
    assert not suffixes & {".pyi", ".pyx", ".pxd", ".h", ".c"}
    sources = {name.split("/")[0] for name in content if name.endswith(".py")}
    assert sources == {"app.py", "chalicelib"}, "requirements come as byte code alone"


def test_a_traceback_through_a_requirement_names_file_and_line(
    app: PackagedApp, architecture: str, tmp_path: Path
) -> None:
    if architecture != "x86_64":
        pytest.skip("code for another processor does not run here")
    with zipfile.ZipFile(app.bundle) as bundle:
        bundle.extractall(tmp_path)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r});"
        "import prometheus_client; prometheus_client.generate_latest(1)"
    )
    process = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True
    )
    assert re.search(r'File "[^"]*prometheus_client/\w+\.py", line \d+, in \w+', process.stderr)


def test_stage_local_is_built_for_this_machine() -> None:
    local = runtime.for_stage("local")
    assert (local.python, local.platform, local.architecture) == (VERSION, "", "")


@pytest.mark.parametrize("version", [(3, 10), (3, 15)])
def test_a_python_without_a_lambda_runtime_is_refused(
    version: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.version_info", (*version, 0, "final", 0))
    with pytest.raises(PackagingFailed, match="remedy"):
        runtime.for_stage("prod")


def test_an_unknown_processor_is_refused() -> None:
    with pytest.raises(PackagingFailed, match="x86_64, arm64"):
        runtime.for_stage("prod", "riscv")
