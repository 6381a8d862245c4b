"""Every command that a document or the Makefile names works, or stands below with a reason.

A command of Python is imported and parses its arguments. Then it is run here, or a test
named below runs what it does, or a reason says why no test can.
"""

import argparse
import importlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any, NoReturn

import pytest
import yaml

from infra.paths import ROOT
from tests.docs import shell
from tests.docs.markdown import documents

RUN_HERE = {
    "make help": ["make", "help"],
    "make package": ["make", "package", "STAGE=prod"],
    "python -m infra.aws.package": ["make", "package", "STAGE=prod"],
    "python -m infra.dependencies": ["python", "-m", "infra.dependencies"],
}
"""What a command starts with -> the command that is run for it, in a quick form."""

RUN_ELSEWHERE = {
    "make demo": "tests/e2e/test_stack.py",
    "make down": "tests/e2e/test_stack.py",
    "make drill": "tests/e2e/test_drill.py",
    "make faults": "tests/faults/test_faults.py",
    "make fuzz": "tests/e2e/test_stack.py",
    "make logs": "tests/e2e/test_stack.py",
    "make readiness": "tests/e2e/test_readiness.py",
    "make seed": "tests/integration/test_seed.py",
    "make slo": "tests/integration/test_slo_rules.py",
    "make slo-mutants": "tests/integration/test_slo_rules.py",
    "make status": "tests/e2e/test_stack.py",
    "make token": "tests/e2e/test_tour.py",
    "make up": "tests/e2e/test_stack.py",
    "make up-compose": "tests/unit/test_compose.py",
    "python -m infra.compose": "tests/unit/test_compose.py",
    "python -m infra.drill": "tests/e2e/test_drill.py",
    "python -m infra.local": "tests/e2e/test_stack.py",
    "python -m infra.local urls": "tests/e2e/test_tour.py",
    "python -m infra.docs": "tests/unit/test_documents.py",
    "python -m infra.docs.viewer": "tests/unit/test_docs_viewer.py",
    "python -m infra.local.seed": "tests/integration/test_seed.py",
    "python -m infra.ops audit": "tests/integration/test_audit_export.py",
    "python -m infra.ops migrate": "tests/integration/test_database.py",
    "python -m infra.ops outbox": "tests/integration/test_outbox_admin.py",
    "python -m infra.ops relay": "tests/integration/test_relay.py",
    "python -m infra.ops topics": "tests/integration/test_relay.py",
    "python -m infra.readiness": "tests/e2e/test_readiness.py",
    "python -m infra.slo": "tests/integration/test_slo_rules.py",
    "python -m tests.bench.api": "tests/integration/test_benches.py",
    "python -m tests.bench.plot": "tests/integration/test_benches.py",
    "python -m tests.bench.relay": "tests/integration/test_benches.py",
    "python -m tests.faults": "tests/faults/test_faults.py",
    "python -m tests.fuzz": "tests/e2e/test_stack.py",
    "python -m tests.slo": "tests/unit/test_slo.py",
    "python -m tests.slo.mutants": "tests/integration/test_slo_rules.py",
}
"""What a command starts with -> the tests that run the same code."""

NOT_RUN = {
    "aws ": "needs an AWS account",
    "chalice deploy": "needs an AWS account",
    "curl ": "the README's are run by tests/e2e/test_tour.py",
    "kill": "ends a demo service, as tests/e2e/test_drill.py does",
    "make clean": "deletes the data of the checkout's own stack",
    "make dev": "serves until it is interrupted",
    "make fmt": "rewrites the checkout; its commands are run by `make lint` with --check",
    "make lint": "runs before the tests",
    "make lock": "needs the package index",
    "make test": "runs this test",
    "pgrep": "finds a demo service",
    "pre-commit": "installed by those who want it",
    "python -c": "standard library alone",
    "python -m json.tool": "standard library",
    "python -m pytest": "runs this test",
}
"""What a command starts with -> why no test runs it."""

MAKE_ONLY = (
    "lint-imports",
    "mypy",
    "ruff",
    "uv ",
    "echo",
    "rm ",
    "test ",
    "mkdir",
    "touch",
    "exit",
    "cat",
    "grep",
    "awk",
)
"""What the Makefile's recipes use besides."""

TOOL = re.compile(
    r"(?:[A-Z_]+=\S* )*(?:\.venv/bin/)?(make|python3? -m|chalice|aws|git|pre-commit) \S"
)
"""What a command within a sentence starts with."""


class Parsed(Exception):
    """The arguments were accepted."""


def _fail(parser: argparse.ArgumentParser, message: str) -> NoReturn:
    """Refuse wrong arguments, but accept a group of commands that a sentence names."""
    if re.search("required: (act|action|command)$", message):
        raise Parsed
    raise AssertionError(f"{parser.prog}: {message}")


def _normal(words: list[str]) -> list[str]:
    """Return the command without its program's folder and version, and without `make -s`."""
    program = words[0].rpartition("/")[2]
    if program == "make":
        return [word for word in words if word != "-s"]
    return ["python" if program == "python3" else program, *words[1:]]


def _documented() -> Iterator[tuple[str, list[str]]]:
    for document in documents():
        functions = {name for block in document.shell_blocks for name in shell.functions(block)}
        texts = [*document.shell_blocks, *filter(TOOL.match, document.inline_code)]
        for words in (words for text in texts for words in shell.commands(text)):
            if words[0] not in functions:
                yield document.name, _normal(words)


def _targets() -> list[str]:
    text = (ROOT / "Makefile").read_text()
    return re.findall(r"^([a-z-]+):", text, re.MULTILINE)


def _recipe(words: list[str]) -> list[list[str]]:
    """Return the commands that a make command would run."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    dry_run = subprocess.run(
        ["make", "-n", "-o", ".venv/.ready", *words[1:]],
        cwd=ROOT,
        env=outside,  # within `make test`, make would report its folders, too
        capture_output=True,
        text=True,
    )
    assert dry_run.returncode == 0, dry_run.stderr
    return [_normal(command) for command in shell.commands(dry_run.stdout)]


def _unique(commands: Iterator[tuple[str, list[str]]]) -> list[tuple[str, list[str]]]:
    unique = {" ".join(words): (source, words) for source, words in commands}
    return sorted(unique.values(), key=lambda pair: pair[1])


DOCUMENTED = _unique(_documented())
MADE = _unique(
    (f"make {target}", words) for target in _targets() for words in _recipe(["make", target])
)


def _starts(text: str, prefix: str) -> bool:
    return text == prefix or text.startswith(prefix if prefix.endswith(" ") else prefix + " ")


def _check(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    if words[0] == "make":
        for command in _recipe(words):
            _check_arguments(command, monkeypatch)
    _check_arguments(words, monkeypatch)


def _check_arguments(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a module of ours parse its arguments, and stop it there."""
    assert not [word for word in words if word.startswith("tests/") and not (ROOT / word).exists()]
    if words[:2] != ["python", "-m"] or not words[2].startswith(("infra", "tests")):
        return
    parse = argparse.ArgumentParser.parse_args

    def stop(self: argparse.ArgumentParser, *args: Any, **kwargs: Any) -> NoReturn:
        parse(self, *args, **kwargs)
        raise Parsed

    name = words[2]
    spec = find_spec(name)
    assert spec, f"there is no module {name}"
    if spec.submodule_search_locations:
        name += ".__main__"
    module = importlib.import_module(name)
    if not hasattr(module, "main"):
        return
    with monkeypatch.context() as patched:
        patched.setattr(sys, "argv", [name, *words[3:]])
        patched.setattr(argparse.ArgumentParser, "parse_args", stop)
        patched.setattr(argparse.ArgumentParser, "error", _fail)
        with pytest.raises(Parsed):
            module.main()


def _id(pair: tuple[str, list[str]]) -> str:
    return " ".join(pair[1])[:70]


@pytest.mark.parametrize("command", DOCUMENTED, ids=_id)
def test_a_documented_command_exists_and_is_run_by_a_test_or_listed(
    command: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, words = command
    text = " ".join(words)
    listed = [*RUN_HERE, *RUN_ELSEWHERE, *NOT_RUN]
    assert any(_starts(text, prefix) for prefix in listed), (
        f"{source} names `{text}`: run it in a test, or list it here with the reason"
    )
    _check(words, monkeypatch)


@pytest.mark.parametrize("command", MADE, ids=_id)
def test_a_command_of_the_makefile_exists_and_is_run_by_a_test_or_listed(
    command: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, words = command
    text = " ".join(words)
    listed = [*RUN_HERE, *RUN_ELSEWHERE, *NOT_RUN, *MAKE_ONLY]
    assert any(_starts(text, prefix.strip()) for prefix in listed), (
        f"{source} runs `{text}`: run it in a test, or list it here with the reason"
    )
    _check_arguments(words, monkeypatch)


@pytest.mark.parametrize(
    "command", sorted({tuple(words) for words in RUN_HERE.values()}), ids=" ".join
)
def test_a_quick_command_succeeds(command: tuple[str, ...]) -> None:
    program = sys.executable if command[0] == "python" else command[0]
    process = subprocess.run(
        [program, *command[1:]], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert process.returncode == 0, process.stdout + process.stderr


def test_the_lists_name_nothing_that_is_gone() -> None:
    texts = [" ".join(words) for _, words in [*DOCUMENTED, *MADE]]
    listed = [*RUN_HERE, *RUN_ELSEWHERE, *NOT_RUN]
    unused = [
        prefix for prefix in listed if not any(_starts(text, prefix.strip()) for text in texts)
    ]
    assert not unused
    assert not [file for file in RUN_ELSEWHERE.values() if not (ROOT / file).exists()]


def test_every_target_is_explained_and_documented() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    assert phony
    assert sorted(phony[1].split()) == sorted(_targets())
    for target in _targets():
        assert re.search(rf"^{target}:.*  ## [a-z]", makefile, re.MULTILINE), target
        assert any(words[:2] == ["make", target] for _, words in DOCUMENTED), target


@pytest.mark.parametrize("program", ["bash", "zsh"])
def test_shell_blocks_have_no_syntax_error(program: str) -> None:
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed")
    for document in documents():
        for block in document.shell_blocks:
            check = subprocess.run([program, "-n"], input=block, capture_output=True, text=True)
            assert check.returncode == 0, f"{document.name}: {check.stderr}"


def test_the_commit_hooks_run_what_lint_runs() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    hooks = [hook["entry"] for repository in config["repos"] for hook in repository["hooks"]]
    linted = [words for words in _recipe(["make", "lint"]) if words[0] not in ("mkdir", "echo")]
    tools = {" ".join(words[:3]) if words[0] == "python" else words[0] for words in linted}
    assert {"ruff", "mypy", "lint-imports", "python -m infra.dependencies"} <= tools
    for tool in tools - {"cat", "exit"}:
        assert any(f".venv/bin/{tool}" in entry for entry in hooks), f"no hook runs {tool}"
