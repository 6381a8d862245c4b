"""The program of the local Systems Manager: moto's server, and an agent beside it.

moto takes commands and runs nothing. Here the `aws:runShellScript` steps of each command are
run, for each demo service whose tag the command names, and the command gets the status that
results: failures, time-outs and commands that find no machine are real.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.ssm import models, responses
from werkzeug.serving import WSGIRequestHandler, make_server

from infra.aws import autoheal
from infra.local import ssm

INSTALLED = "/opt/aetherlink/bin/"
STAGE = "local"
MAX_OUTPUT_LENGTH = 2_500
TIMED_OUT_CODE = 137
CANCELLED_CODE = 143
STATUSES = {0: "Success", TIMED_OUT_CODE: "TimedOut", CANCELLED_CODE: "Cancelled"}
"""By exit code; every other one is `Failed`."""


class AgentCommand(models.Command):
    """A command that is run. It is pending until the agent has started it."""

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
        """Kill the step that runs."""
        self.cancelled = True
        if self.running is not None:
            os.killpg(self.running.pid, signal.SIGKILL)

    def _run(self) -> None:
        if not self.instance_ids:
            self.status = "Success"
            self.status_details = "NoInstancesInTag"
            return
        self.status = self.status_details = "InProgress"
        status = "Success"
        for instance in self.instance_ids:  # one after the other, none after a failure
            code, output = self._run_steps()
            status = STATUSES.get(code, "Failed")
            self.invocations.append(self._invocation(instance, status, code, output))
            self.completed_count += 1
            if status != "Success":
                self.error_count += 1
                break
        self.status = self.status_details = status

    def _invocation(self, instance: str, status: str, code: int, output: str) -> dict[str, Any]:
        plugin = {
            "Name": "aws:runShellScript",
            "Status": status,
            "ResponseCode": code,
            "Output": output,
        }
        return {
            "CommandId": self.command_id,
            "InstanceId": instance,
            "Status": status,
            "CommandPlugins": [plugin],
        }

    def _run_steps(self) -> tuple[int, str]:
        """Run the document's steps until one fails; return the last exit code and output."""
        content = autoheal.deployed_documents(STAGE)[str(self.document_name)]
        output = ""
        for step in content["mainSteps"]:
            script = "\n".join(step["inputs"]["runCommand"])
            for name, values in self.parameters.items():
                script = script.replace("{{ " + name + " }}", values[0])
            script = script.replace(INSTALLED, f"{self.control}/")
            seconds = min(float(step["inputs"]["timeoutSeconds"]), float(self.timeout_seconds))
            code, output = self._run_script(script, seconds)
            if code:
                return code, output
        return 0, output

    def _run_script(self, script: str, seconds: float) -> tuple[int, str]:
        self.running = subprocess.Popen(
            ["/bin/sh", "-c", script],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            output, _ = self.running.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(self.running.pid, signal.SIGKILL)
            self.running.wait()
            return TIMED_OUT_CODE, f"not finished after {seconds:.0f} s"
        code = CANCELLED_CODE if self.cancelled else self.running.returncode
        return code, output[-MAX_OUTPUT_LENGTH:]


def _send_command(self: models.SimpleSystemManagerBackend, **values: Any) -> models.Command:
    """Accept a command as AWS does: its document exists and allows its parameters."""
    content = autoheal.deployed_documents(STAGE).get(values["document_name"])
    if content is None:
        raise JsonRESTError("InvalidDocument", "there is no such document")
    allowed = content["parameters"]
    parameters = values["parameters"]
    match = all(
        len(texts) == 1 and re.search(allowed[name]["allowedPattern"], texts[0])
        for name, texts in parameters.items()
        if name in allowed
    )
    if set(parameters) != set(allowed) or not match:
        raise JsonRESTError("InvalidParameters", "the document does not allow these parameters")
    command = AgentCommand(account_id=self.account_id, backend_region=self.region_name, **values)
    self._commands.append(command)
    return command


def _list_command_invocations(self: Any) -> ActionResult:
    command = self.ssm_backend.get_command_by_id(self._get_param("CommandId"))
    return ActionResult({"CommandInvocations": command.invocations})


def _cancel_command(self: Any) -> ActionResult:
    self.ssm_backend.get_command_by_id(self._get_param("CommandId")).cancel()
    return ActionResult({})


def _extend_moto() -> None:
    """Let moto's Systems Manager run commands."""
    backend = models.SimpleSystemManagerBackend
    backend.send_command = _send_command  # type: ignore[method-assign, assignment]
    api: Any = responses.SimpleSystemManagerResponse
    api.list_command_invocations = _list_command_invocations
    api.cancel_command = _cancel_command


class _Quiet(WSGIRequestHandler):
    def log_request(self, *_: object) -> None:
        """Log nothing."""


def main() -> int:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(prog="ssm_server", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--control", type=Path, required=True, help="the machines' bin folder")
    parser.add_argument("--ready-file", type=Path, required=True, help="touched once it is ready")
    parser.add_argument("services", nargs="*", help="a machine is started for each")
    arguments = parser.parse_args()
    AgentCommand.control = arguments.control
    _extend_moto()
    server = make_server(
        "127.0.0.1",
        arguments.port,
        DomainDispatcherApplication(create_backend_app),
        threaded=True,
        request_handler=_Quiet,
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{arguments.port}"
    client = ssm.client(url, "ssm")
    for name, content in autoheal.deployed_documents(STAGE).items():
        client.create_document(
            Name=name,
            Content=json.dumps(content),
            DocumentType="Command",
            DocumentFormat="JSON",
        )
    print(f"machines: {', '.join(ssm.machines(url, arguments.services))}", flush=True)
    arguments.ready_file.touch()
    signal.pause()
    return 0
