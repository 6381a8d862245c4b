"""Sends what the OpenAPI document allows, and what it does not, to a deployed API, and checks every answer."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.paths import ROOT
from tests.fuzz.hooks import NOTED

SECONDS = 1_800
TOKEN = "AETHERLINK_FUZZ_TOKEN"
"""What the fuzzer's settings take the token from."""


@dataclass(frozen=True, slots=True)
class Report:
    """How it went: how many cases, which operations were answered well and ill, and what the fuzzer says."""

    passed: bool
    cases: int
    answers: Mapping[str, Counter[int]]
    said: str


def fuzz(api: str, token: str, *, examples: int, home: Path, seed: int | None = None) -> Report:
    """Fuzz the API at `api` as the caller whom `token` proves.

    Args:
        api: where the paths of the document begin.
        token: goes with most requests; some must do without.
        examples: how many to generate for each operation in each phase.
        home: an empty folder for what is noted on the way.
        seed: repeats an earlier run; the report of a run names its own.
    """
    noted = home / "answers.ndjson"
    noted.touch()
    tool = str(Path(sys.executable).with_name("schemathesis"))
    command = [
        tool,
        "--config-file",
        str(ROOT / "tests" / "fuzz" / "schemathesis.toml"),
        "run",
    ]
    command += [
        str(ROOT / "chalicelib" / "static" / "openapi.json"),
        "--url",
        api,
        "--max-examples",
        str(examples),
    ]
    if seed is not None:
        command += ["--seed", str(seed)]
    env = {
        **os.environ,
        NOTED: str(noted),
        TOKEN: token,
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "ignore",
    }
    done = subprocess.run(
        command, cwd=home, env=env, capture_output=True, text=True, timeout=SECONDS
    )
    answers: dict[str, Counter[int]] = {}
    lines = [json.loads(line) for line in noted.read_text().splitlines()]
    for line in lines:
        if line["function"]:
            answers.setdefault(line["operation"], Counter())[line["status"]] += 1
    return Report(done.returncode == 0, len(lines), answers, done.stdout + done.stderr)
