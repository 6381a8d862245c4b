"""The AWS emulator (MiniStack), and deploying to it as to AWS: an upload, a CloudFormation stack, an API."""

import json
import os
import shutil
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import localstack_client.session
import requests
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from infra.aws.package import PackagedApp
from infra.local.process import PartFailed, Process, refuse_foreign

START_SECONDS = 60.0
DEPLOY_SECONDS = 120
LONGEST_REASON = 500
LIVE_SECONDS = 60.0
SETTING = "AETHERLINK_EMULATOR_PORT"
STACK = "aetherlink-local"
BUCKET = "aetherlink-deployments"
REGION = "us-east-1"
API_STAGE = "api"
NOT_HERE = ("AWS::SSM::Document",)
"""Resources that the emulator does not know; the local Systems Manager has the documents."""
NO_CHANGE = "No updates are to be performed"
SERVICES = (
    "apigateway", "cloudformation", "cloudwatch", "cognito-idp", "dynamodb", "events", "iam", "lambda",
    "logs", "s3", "scheduler", "secretsmanager", "sns", "sqs", "ssm", "sts",
)  # fmt: skip


class Emulator:
    """One emulator. What it holds is in memory: after it died everything is deployed anew."""

    def __init__(self, home: Path, port: int) -> None:
        """Keep the log under `home` and listen on loopback `port`."""
        self.home = home
        self.port = port
        self.process = Process("emulator", home)
        self._deployed = home / "deployed.json"
        self._temporary = home / "tmp"

    @property
    def url(self) -> str:
        """Where AWS clients connect (`AWS_ENDPOINT_URL`)."""
        return f"http://127.0.0.1:{self.port}"

    def running(self) -> bool:
        """Tell whether the emulator answers."""
        return self.process.running() and self._answers()

    def start(self) -> bool:
        """Start the emulator; return whether it had to be started. Raises `PartFailed`."""
        if self.running():
            return False
        self.process.kill()
        self._deployed.unlink(missing_ok=True)
        refuse_foreign("emulator", self.port, SETTING)
        shutil.rmtree(
            self._temporary, ignore_errors=True
        )  # unpacked functions, left there by one that was killed
        self._temporary.mkdir(parents=True)
        self.process.start(
            [sys.executable, "-m", "ministack"],
            ready=self._answers,
            seconds=START_SECONDS,
            remedy="read the log and run `make up` again",
            env={
                "BIND_HOST": "127.0.0.1",
                "GATEWAY_PORT": str(self.port),
                "TMPDIR": str(self._temporary),
                "STATE_DIR": str(self.home / "state"),
                "SERVICES": ",".join(SERVICES),
                "IOT_MTLS_ENABLED": "0",
                "AWS_DEFAULT_REGION": REGION,
            },
        )
        return True

    def stop(self) -> None:
        """Shut the emulator and its function workers down."""
        self.process.stop()
        shutil.rmtree(self._temporary, ignore_errors=True)

    def kill(self) -> None:
        """Crash it."""
        self.process.kill()

    def client(self, service: str) -> Any:
        """Return a boto3 client of `service` at the emulator."""
        os.environ.pop("AWS_ENDPOINT_URL", None)  # somebody else's emulator: it would win over ours
        session = localstack_client.session.Session(
            region_name=REGION, localstack_host=f"127.0.0.1:{self.port}"
        )
        settings = Config(
            connect_timeout=5, read_timeout=DEPLOY_SECONDS, retries={"max_attempts": 2}
        )
        return session.client(service, config=settings)

    def keep(self, secrets: Mapping[str, str]) -> None:
        """Keep `secrets`, name -> text, in Secrets Manager; one that is there and the same is left alone."""
        manager = self.client("secretsmanager")
        for name, text in secrets.items():
            try:
                if manager.get_secret_value(SecretId=name)["SecretString"] != text:
                    manager.put_secret_value(SecretId=name, SecretString=text)
            except manager.exceptions.ResourceNotFoundException:
                manager.create_secret(Name=name, SecretString=text)

    def deployed(self) -> dict[str, str]:
        """Return what is deployed: `key` and `api_url`; empty where nothing is."""
        try:
            return dict(json.loads(self._deployed.read_text())) if self.running() else {}
        except (FileNotFoundError, ValueError):
            return {}

    def deploy(self, app: PackagedApp, *, key: str) -> str:
        """Deploy `app` through CloudFormation and wait until its API answers; return the API's URL.

        Args:
            app: what was built.
            key: stands for everything that went into it; `deployed` tells it.

        Raises:
            PartFailed: the stack fails, or the API does not come alive.
        """
        template = json.loads(app.template.read_text())
        known = {
            name: one for name, one in template["Resources"].items() if one["Type"] not in NOT_HERE
        }
        template["Resources"] = known
        location = {"Bucket": BUCKET, "Key": f"{app.digest}.zip"}
        for resource in known.values():
            if resource["Type"] == "AWS::Serverless::Function":
                resource["Properties"]["CodeUri"] = location
        try:
            s3 = self.client("s3")
            s3.create_bucket(Bucket=BUCKET)
            s3.upload_file(str(app.bundle), BUCKET, location["Key"])
            named = f"{app.digest}.json"
            s3.put_object(Bucket=BUCKET, Key=named, Body=json.dumps(template).encode())
            api_id = self._apply(f"{self.url}/{BUCKET}/{named}")
            self._complete(known.values())
        except (BotoCoreError, ClientError, WaiterError) as problem:
            raise self._failed(f"deployment failed: {str(problem)[:LONGEST_REASON]}") from problem
        api_url = f"{self.url}/restapis/{api_id}/{API_STAGE}/_user_request_"
        self._await(f"{api_url}/health/live")
        self._deployed.write_text(json.dumps({"key": key, "api_url": api_url}))
        return api_url

    def invoke(self, function: str, payload: Mapping[str, Any]) -> Any:
        """Invoke the function whose name holds `function` and return its answer."""
        functions = self.client("lambda")
        name = next(
            one["FunctionName"]
            for one in functions.list_functions()["Functions"]
            if function in one["FunctionName"]
        )
        said = functions.invoke(FunctionName=name, Payload=json.dumps(dict(payload)))
        return json.loads(said["Payload"].read())

    def _apply(self, template_url: str) -> str:
        """Create or update the stack. The template is too large to go along with the call, on AWS too."""
        formation = self.client("cloudformation")
        existing = {
            one["StackName"]
            for one in formation.list_stacks()["StackSummaries"]
            if "DELETE" not in one["StackStatus"]
        }
        call = formation.create_stack
        waiter = "stack_create_complete"
        if STACK in existing:
            call = formation.update_stack
            waiter = "stack_update_complete"
        capabilities = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
        try:
            call(StackName=STACK, TemplateURL=template_url, Capabilities=capabilities)
        except ClientError as problem:
            if NO_CHANGE not in str(problem):
                raise
            return self._api_id(
                formation
            )  # what changed among the sources makes no difference to the package
        formation.get_waiter(waiter).wait(
            StackName=STACK, WaiterConfig={"Delay": 1, "MaxAttempts": DEPLOY_SECONDS}
        )
        return self._api_id(formation)

    def _complete(self, resources: Iterable[Mapping[str, Any]]) -> None:
        """Switch on for tables what the emulator's CloudFormation leaves out: expiry and point-in-time recovery."""
        dynamodb = self.client("dynamodb")
        for table in [
            one["Properties"] for one in resources if one["Type"] == "AWS::DynamoDB::Table"
        ]:
            name = table["TableName"]
            expiry = table.get("TimeToLiveSpecification")
            if expiry:
                dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=expiry)
            if recovery := table.get("PointInTimeRecoverySpecification"):
                dynamodb.update_continuous_backups(
                    TableName=name, PointInTimeRecoverySpecification=recovery
                )

    def _api_id(self, formation: Any) -> str:
        outputs = formation.describe_stacks(StackName=STACK)["Stacks"][0].get("Outputs", [])
        return str(next(one["OutputValue"] for one in outputs if one["OutputKey"] == "RestAPIId"))

    def _await(self, url: str) -> None:
        deadline = time.monotonic() + LIVE_SECONDS
        said = "no answer"
        while time.monotonic() < deadline:
            try:
                answer = requests.get(url, timeout=10)
                if answer.ok:
                    return
                said = f"{answer.status_code} {answer.text[:300]}"
            except requests.RequestException as problem:
                said = type(problem).__name__
            time.sleep(0.2)
        raise self._failed(f"the API does not come alive: {said}")

    def _failed(self, reason: str) -> PartFailed:
        return PartFailed(
            "emulator",
            reason,
            remedy="read the log and run `make up` again",
            log=self.process.log,
        )

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/_ministack/health", timeout=2).ok
        except requests.RequestException:
            return False
