"""Systems Manager on this machine, as a service of the local stack."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from infra.local.service import Service, ServiceSpec
from infra.paths import ROOT

REGION = "us-east-1"
IMAGE = "ami-12c6146b"
TAG = "AetherLinkService"
CONNECT_SECONDS = 5
READ_SECONDS = 20
ENTRY = "import sys; from infra.local.ssm_server import main; sys.exit(main())"
"""moto looks at the module that a command's class belongs to: it must not be `__main__`."""


class LocalSsm(Service):
    """One server with its agent; its `url` is `AWS_ENDPOINT_URL_SSM`.

    It keeps everything in memory and starts with our documents and a machine for each service.
    """

    spec = ServiceSpec(
        name="ssm", label="Systems Manager", start_seconds=120.0, health_path="/moto-api/"
    )

    def __init__(self, home: Path, port: int, control: Path, services: Mapping[str, int]) -> None:
        """Run the documents' steps with `control` as the machines' bin folder."""
        super().__init__(home, port)
        self._control = control
        self._services = dict(services)
        self._ready = home / "ready"

    def healthy(self) -> bool:
        """Return whether it answers, with its documents and machines in place."""
        return self._ready.exists() and super().healthy()

    def prepare(self) -> None:
        """Forget that an earlier one was ready."""
        super().prepare()
        self._ready.unlink(missing_ok=True)

    def command(self) -> Sequence[str]:
        """Return the command; the process touches a file once everything is in place."""
        return [
            sys.executable,
            "-c",
            ENTRY,
            "--port",
            str(self.port),
            "--control",
            str(self._control),
            "--ready-file",
            str(self._ready),
            *self._services,
        ]

    def environment(self) -> Mapping[str, str]:
        """Return the process' environment."""
        return {"PYTHONPATH": str(ROOT)}

    def enrol(self, services: Iterable[str]) -> list[str]:
        """Add a machine for each of `services`; return their ids."""
        return list(machines(self.url, services))

    def discharge(self, machine_ids: list[str]) -> None:
        """Remove machines that were enrolled."""
        self.client("ec2").terminate_instances(InstanceIds=machine_ids)

    def client(self, service: str = "ssm") -> Any:
        """Return a boto3 client of it."""
        return client(self.url, service)


def client(url: str, service: str) -> Any:
    """Return a boto3 client of `service` at `url`, which does not retry."""
    import boto3
    from botocore.config import Config

    limits = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"total_max_attempts": 1},
    )
    return boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=url,
        region_name=REGION,
        config=limits,
        aws_access_key_id="local",
        aws_secret_access_key="local",  # noqa: S106 -- accepted by any emulator
    )


def machines(url: str, services: Iterable[str]) -> Iterator[str]:
    """Start a machine with the tag of each of `services`; yield their ids."""
    ec2 = client(url, "ec2")
    for name in services:
        tags = [{"ResourceType": "instance", "Tags": [{"Key": TAG, "Value": name}]}]
        started = ec2.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1, TagSpecifications=tags)
        yield started["Instances"][0]["InstanceId"]
