"""The AWS emulator (MiniStack) as a service of the local stack."""

import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.local.service import Service, ServiceSpec
from infra.paths import CACHE

if TYPE_CHECKING:
    from infra.aws.package import PackagedApp

CONNECT_SECONDS = 5
READ_SECONDS = 120
REGION = "us-east-1"
AWS_SERVICES = (
    "apigateway", "cloudformation", "cloudwatch", "cognito-idp", "dynamodb", "events", "iam",
    "lambda", "logs", "s3", "scheduler", "secretsmanager", "sns", "sqs", "ssm", "sts",
)  # fmt: skip


class Emulator(Service):
    """One emulator; its `url` is `AWS_ENDPOINT_URL`.

    It keeps everything in memory: after it died, everything is deployed anew.
    """

    spec = ServiceSpec(
        name="emulator",
        label="AWS emulator",
        start_seconds=120.0,
        health_path="/_ministack/health",
        remedy="read the log and run `make up` again",
    )

    def __init__(self, home: Path, port: int, cache: Path = CACHE) -> None:
        """Keep the log under `home` and listen on loopback `port`."""
        super().__init__(home, port, cache)
        self._record = home / "deployed.json"
        self._temporary = home / "tmp"

    def prepare(self) -> None:
        """Remove what an earlier emulator left behind, which may have been killed."""
        self._record.unlink(missing_ok=True)
        shutil.rmtree(self._temporary, ignore_errors=True)  # unpacked functions
        self._temporary.mkdir(parents=True)

    def command(self) -> Sequence[str]:
        """Return the command; the environment configures it."""
        return [sys.executable, "-m", "ministack"]

    def environment(self) -> Mapping[str, str]:
        """Return the emulator's settings."""
        return {
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "TMPDIR": str(self._temporary),
            "STATE_DIR": str(self.home / "state"),
            "SERVICES": ",".join(AWS_SERVICES),
            "IOT_MTLS_ENABLED": "0",
            "AWS_DEFAULT_REGION": REGION,
        }

    def stop(self) -> None:
        """Shut the emulator and its function workers down."""
        super().stop()
        shutil.rmtree(self._temporary, ignore_errors=True)

    def client(self, service: str) -> Any:
        """Return a boto3 client of `service` at the emulator."""
        import localstack_client.session
        from botocore.config import Config

        # another emulator's address would win over ours
        os.environ.pop("AWS_ENDPOINT_URL", None)
        session = localstack_client.session.Session(
            region_name=REGION, localstack_host=self.address
        )
        settings = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"max_attempts": 2},
        )
        return session.client(service, config=settings)

    def store_secrets(self, secrets: Mapping[str, str]) -> None:
        """Store `secrets`, name -> text, in Secrets Manager; an unchanged one is not written."""
        manager = self.client("secretsmanager")
        for name, text in secrets.items():
            try:
                if manager.get_secret_value(SecretId=name)["SecretString"] != text:
                    manager.put_secret_value(SecretId=name, SecretString=text)
            except manager.exceptions.ResourceNotFoundException:
                manager.create_secret(Name=name, SecretString=text)

    def deployed(self) -> dict[str, str]:
        """Return the `key` and `api_url` of what is deployed; empty where nothing is."""
        try:
            return dict(json.loads(self._record.read_text())) if self.running() else {}
        except (FileNotFoundError, ValueError):
            return {}

    def deploy(self, app: "PackagedApp", *, key: str) -> str:
        """Deploy `app` through CloudFormation and wait until its API answers; return its URL.

        Args:
            app: what was built.
            key: identifies everything that went into it; `deployed` returns it.

        Raises:
            ServiceFailed: the CloudFormation stack fails, or the API does not answer.
        """
        from infra.local import cloudformation

        api_url = cloudformation.deploy(self, app)
        self._record.write_text(json.dumps({"key": key, "api_url": api_url}))
        return api_url

    def forget_deployment(self) -> None:
        """Let the next deployment happen even if nothing has changed."""
        self._record.unlink(missing_ok=True)

    def function(self, part: str) -> str:
        """Return the name of the function whose name contains `part`."""
        functions = self.client("lambda").list_functions()["Functions"]
        return next(
            str(function["FunctionName"])
            for function in functions
            if part in function["FunctionName"]
        )

    def invoke(self, function: str, payload: Mapping[str, Any]) -> Any:
        """Invoke the function whose name contains `function`; return its result."""
        response = self.client("lambda").invoke(
            FunctionName=self.function(function), Payload=json.dumps(dict(payload))
        )
        return json.loads(response["Payload"].read())
