"""Sends valid and invalid requests to a deployed API, and checks every response."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.paths import ROOT
from tests.fuzz.hooks import RECORD

SECONDS = 1_800
TOKEN = "AETHERLINK_FUZZ_TOKEN"
"""The environment variable that the fuzzer reads the token from."""


@dataclass(frozen=True, slots=True)
class Report:
    """The result: the number of requests, the statuses by operation, and the fuzzer's output."""

    passed: bool
    cases: int
    answers: Mapping[str, Counter[int]]
    output: str


def fuzz(api: str, token: str, *, examples: int, home: Path, seed: int | None = None) -> Report:
    """Fuzz the API at `api` as the caller with `token`.

    Args:
        api: the address that the document's paths start from.
        token: is sent with most requests, but not with all.
        examples: the number of examples for each operation in each phase.
        home: an empty folder for the record of responses.
        seed: repeats an earlier run; each report states its seed.
    """
    record = home / "answers.ndjson"
    record.touch()
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
        RECORD: str(record),
        TOKEN: token,
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "ignore",
    }
    process = subprocess.run(
        command, cwd=home, env=env, capture_output=True, text=True, timeout=SECONDS
    )
    answers: dict[str, Counter[int]] = {}
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    for line in lines:
        if line["function"]:
            answers.setdefault(line["operation"], Counter())[line["status"]] += 1
    return Report(process.returncode == 0, len(lines), answers, process.stdout + process.stderr)
