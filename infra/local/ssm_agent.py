"""Systems Manager on this machine: moto's server answers the API, and an agent beside it really runs the steps.

moto takes commands and runs nothing. Here each command's `aws:runShellScript` steps are
run, for each demo service whose tag the command names, and the command gets the status that
comes of it: failures, time-outs and commands that find no machine are real.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import requests
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.ssm import models, responses
from werkzeug.serving import WSGIRequestHandler, make_server

from infra.aws import autoheal
from infra.aws.package import ROOT
from infra.local.process import Process, refuse_foreign

REGION = "us-east-1"
IMAGE = "ami-12c6146b"
TAG = "AetherLinkService"
INSTALLED = "/opt/aetherlink/bin/"
START_SECONDS = 60.0
SETTING = "AETHERLINK_SSM_PORT"
LONGEST_OUTPUT = 2_500
ENTRY = "import sys; from infra.local.ssm_agent import main; sys.exit(main())"
"""moto looks at the module that a command's class is of: it must have its name."""
FAILED_RC = 1
TIMED_OUT_RC = 137
CANCELLED_RC = 143


class LocalSsm:
    """One server with its agent. What it holds is in memory; it starts with our documents and a machine a service."""

    def __init__(self, home: Path, port: int, control: Path, services: Mapping[str, int]) -> None:
        """Keep the log in `home`, listen on loopback `port`, and run steps with `control` as the machines' bin."""
        self.home = home
        self.port = port
        self._control = control
        self._services = dict(services)
        self.process = Process("ssm", home)

    @property
    def url(self) -> str:
        """Where clients connect (`AWS_ENDPOINT_URL_SSM`)."""
        return f"http://127.0.0.1:{self.port}"

    def running(self) -> bool:
        """Tell whether it answers, with its machines in place."""
        return self.process.running() and self._ready()

    def start(self) -> bool:
        """Start it; return whether it had to be started. Raises `PartFailed`."""
        if self.running():
            return False
        self.process.kill()
        refuse_foreign("ssm", self.port, SETTING)
        chosen = ["--port", str(self.port), "--control", str(self._control)]
        self.process.start(
            [sys.executable, "-c", ENTRY, *chosen, *self._services],
            ready=self._ready,
            seconds=START_SECONDS,
            remedy="read the log and try again",
            env={"PYTHONPATH": str(ROOT)},
        )
        return True

    def stop(self) -> None:
        """Stop it."""
        self.process.stop()

    def enrol(self, services: Iterable[str]) -> list[str]:
        """Let there be a machine for each of `services`; return their ids."""
        return list(_machines(self.url, services))

    def discharge(self, machines: list[str]) -> None:
        """Do away with machines that were enrolled."""
        self.client("ec2").terminate_instances(InstanceIds=machines)

    def client(self, service: str = "ssm") -> Any:
        """Return a boto3 client of it."""
        return _client(self.url, service)

    def _ready(self) -> bool:
        try:
            if not requests.get(f"{self.url}/moto-api/", timeout=2).ok:
                return False
            found = self.client("ec2").describe_instances(
                Filters=[{"Name": "tag-key", "Values": [TAG]}]
            )
            return len(found["Reservations"]) >= len(self._services)
        except (requests.RequestException, BotoCoreError, ClientError):
            return False


class AgentCommand(models.Command):
    """A command that is run. It is pending until the agent has run it."""

    control = Path()

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        self.status = self.status_details = "Pending"
        self.completed_count = 0
        self.target_count = len(self.instance_ids)
        self.invocations = []
        self.running: subprocess.Popen[str] | None = None
        self.cancelled = False
        threading.Thread(target=self._run, daemon=True).start()

    def cancel(self) -> None:
        """End what runs."""
        self.cancelled = True
        if self.running is not None:
            os.killpg(self.running.pid, signal.SIGKILL)

    def _run(self) -> None:
        if not self.instance_ids:
            self.status = "Success"
            self.status_details = "NoInstancesInTag"
            return
        self.status = self.status_details = "InProgress"
        ended = "Success"
        for instance in self.instance_ids:  # one after the other, none after a failure
            rc, said = self._steps()
            ended = {0: "Success", TIMED_OUT_RC: "TimedOut", CANCELLED_RC: "Cancelled"}.get(
                rc, "Failed"
            )
            plugin = {
                "Name": "aws:runShellScript",
                "Status": ended,
                "ResponseCode": rc,
                "Output": said,
            }
            self.invocations.append(
                {
                    "CommandId": self.command_id,
                    "InstanceId": instance,
                    "Status": ended,
                    "CommandPlugins": [plugin],
                }
            )
            self.completed_count += 1
            if ended != "Success":
                self.error_count += 1
                break
        self.status = self.status_details = ended

    def _steps(self) -> tuple[int, str]:
        content = autoheal.documents()[str(self.document_name)]
        said = ""
        for step in content["mainSteps"]:
            script = "\n".join(step["inputs"]["runCommand"])
            for name, values in self.parameters.items():
                script = script.replace("{{ " + name + " }}", values[0])
            script = script.replace(INSTALLED, f"{self.control}/")
            seconds = min(float(step["inputs"]["timeoutSeconds"]), float(self.timeout_seconds))
            rc, said = self._shell(script, seconds)
            if rc:
                return rc, said
        return 0, said

    def _shell(self, script: str, seconds: float) -> tuple[int, str]:
        pipe = subprocess.PIPE
        command = ["/bin/sh", "-c", script]
        self.running = subprocess.Popen(
            command,
            stdout=pipe,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            said, _ = self.running.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(self.running.pid, signal.SIGKILL)
            self.running.wait()
            return TIMED_OUT_RC, f"no end after {seconds:.0f} s"
        return (CANCELLED_RC if self.cancelled else self.running.returncode), said[-LONGEST_OUTPUT:]


def _send_command(self: models.SimpleSystemManagerBackend, **values: Any) -> models.Command:
    """Take a command as AWS does: only for a document that is there, with parameters as its patterns allow."""
    content = autoheal.documents().get(values["document_name"])
    if content is None:
        raise JsonRESTError("InvalidDocument", "no such document")
    wanted = content["parameters"]
    given = values["parameters"]
    fit = all(
        len(found) == 1 and re.search(wanted[name]["allowedPattern"], found[0])
        for name, found in given.items()
        if name in wanted
    )
    if set(given) != set(wanted) or not fit:
        raise JsonRESTError("InvalidParameters", "not as the document allows")
    made = AgentCommand(account_id=self.account_id, backend_region=self.region_name, **values)
    self._commands.append(made)
    return made


def _list_command_invocations(self: Any) -> ActionResult:
    command = self.ssm_backend.get_command_by_id(self._get_param("CommandId"))
    return ActionResult({"CommandInvocations": command.invocations})


def _cancel_command(self: Any) -> ActionResult:
    self.ssm_backend.get_command_by_id(self._get_param("CommandId")).cancel()
    return ActionResult({})


def _client(url: str, service: str) -> Any:
    limits = Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 1})
    keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
    return boto3.client(service, endpoint_url=url, region_name=REGION, config=limits, **keys)  # type: ignore[call-overload]


def _machines(url: str, services: Iterable[str]) -> Iterator[str]:
    ec2 = _client(url, "ec2")
    for name in services:
        tags = [{"ResourceType": "instance", "Tags": [{"Key": TAG, "Value": name}]}]
        made = ec2.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1, TagSpecifications=tags)
        yield made["Instances"][0]["InstanceId"]


class _Quiet(WSGIRequestHandler):
    def log_request(self, *_: object) -> None:
        """Write no line for each request."""


def main() -> int:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="ssm_agent", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--control", type=Path, required=True)
    parser.add_argument("services", nargs="*")
    chosen = parser.parse_args()
    AgentCommand.control = chosen.control
    models.SimpleSystemManagerBackend.send_command = _send_command  # type: ignore[method-assign, assignment]
    responses.SimpleSystemManagerResponse.list_command_invocations = _list_command_invocations  # type: ignore[attr-defined]
    responses.SimpleSystemManagerResponse.cancel_command = _cancel_command  # type: ignore[attr-defined]
    application = DomainDispatcherApplication(create_backend_app)
    server = make_server(
        "127.0.0.1", chosen.port, application, threaded=True, request_handler=_Quiet
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{chosen.port}"
    ssm = _client(url, "ssm")
    for name, content in autoheal.documents().items():
        ssm.create_document(
            Name=name,
            Content=json.dumps(content),
            DocumentType="Command",
            DocumentFormat="JSON",
        )
    print(f"machines: {', '.join(_machines(url, chosen.services))}", flush=True)
    signal.pause()
    return 0
