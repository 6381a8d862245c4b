"""Deploying to the emulator as to AWS: by an upload and a CloudFormation stack."""

import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

import requests
from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from infra.aws.package import PackagedApp
from infra.local import starts
from infra.local.emulator import Emulator
from infra.local.errors import ServiceFailed
from infra.local.ports import LOOPBACK

STACK = "aetherlink-local"
BUCKET = "aetherlink-deployments"
API_STAGE = "api"
DOMAIN = LOOPBACK
BASE_PATH = "aetherlink"
UNKNOWN_TYPES = ("AWS::SSM::Document",)
"""Resources that the emulator does not know; the local Systems Manager has the documents."""
NO_CHANGE = "No updates are to be performed"
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
DEPLOY_SECONDS = 300
ANSWER_SECONDS = 180.0
CALL_SECONDS = 30
POLL_SECONDS = 0.2
MAX_ERROR_LENGTH = 500
MAX_ANSWER_LENGTH = 300


def deploy(emulator: Emulator, app: PackagedApp) -> str:
    """Deploy `app` and wait until its API answers; return the API's URL.

    Raises:
        ServiceFailed: the CloudFormation stack fails, or the API does not answer.
    """
    template = _template(app)
    try:
        template_url = _upload(emulator, app, template)
        api_id = _apply(emulator.client("cloudformation"), template_url)
        _configure_tables(emulator.client("dynamodb"), template["Resources"].values())
    except (BotoCoreError, ClientError, WaiterError) as error:
        reason = str(error)[:MAX_ERROR_LENGTH]
        raise _failed(emulator, f"deployment failed: {reason}") from error
    api_url = publish(emulator, api_id)
    _await_answer(emulator, f"{api_url}/health/live")
    return api_url


def publish(emulator: Emulator, api_id: str) -> str:
    """Return the URL of the API `api_id`: the same for each deployment and each emulator.

    The emulator gives an API another id whenever it is created. So the API is mapped to a base
    path of a custom domain, as in production; the domain is the emulator's own address.
    LocalStack, which Docker Compose runs, does not serve custom domains.
    """
    if not emulator.healthy():  # it is not MiniStack
        return f"{emulator.url}/restapis/{api_id}/{API_STAGE}/_user_request_"
    gateway = emulator.client("apigateway")
    if DOMAIN not in {item["domainName"] for item in gateway.get_domain_names()["items"]}:
        gateway.create_domain_name(domainName=DOMAIN)
    gateway.create_base_path_mapping(
        domainName=DOMAIN, basePath=BASE_PATH, restApiId=api_id, stage=API_STAGE
    )
    return f"{emulator.url}/{BASE_PATH}"


def _template(app: PackagedApp) -> dict[str, Any]:
    """Return the template without what the emulator does not know, its code in our bucket."""
    template: dict[str, Any] = json.loads(app.template.read_text())
    template["Resources"] = {
        name: resource
        for name, resource in template["Resources"].items()
        if resource["Type"] not in UNKNOWN_TYPES
    }
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = {"Bucket": BUCKET, "Key": f"{app.digest}.zip"}
    return template


def _upload(emulator: Emulator, app: PackagedApp, template: Mapping[str, Any]) -> str:
    """Upload bundle and template; return the template's URL.

    The template is too large to go along with the call, on AWS too.
    """
    s3 = emulator.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.upload_file(str(app.bundle), BUCKET, f"{app.digest}.zip")
    key = f"{app.digest}.json"
    s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(template).encode())
    return f"{emulator.url}/{BUCKET}/{key}"


def _apply(formation: Any, template_url: str) -> str:
    """Create or update the stack; return the API's id."""
    existing = {
        stack["StackName"]
        for stack in formation.list_stacks()["StackSummaries"]
        if "DELETE" not in stack["StackStatus"]
    }
    if STACK in existing:
        call = formation.update_stack
        waiter = "stack_update_complete"
    else:
        call = formation.create_stack
        waiter = "stack_create_complete"
    try:
        call(StackName=STACK, TemplateURL=template_url, Capabilities=CAPABILITIES)
    except ClientError as error:
        if NO_CHANGE not in str(error):
            raise
        return _api_id(formation)  # the changed sources make no difference to the package
    formation.get_waiter(waiter).wait(
        StackName=STACK,
        WaiterConfig={"Delay": POLL_SECONDS, "MaxAttempts": int(DEPLOY_SECONDS / POLL_SECONDS)},
    )
    return _api_id(formation)


def _configure_tables(dynamodb: Any, resources: Iterable[Mapping[str, Any]]) -> None:
    """Switch on expiry and recovery, which the emulator's CloudFormation omits."""
    for resource in resources:
        if resource["Type"] != "AWS::DynamoDB::Table":
            continue
        table = resource["Properties"]
        name = table["TableName"]
        if expiry := table.get("TimeToLiveSpecification"):
            dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=expiry)
        if recovery := table.get("PointInTimeRecoverySpecification"):
            dynamodb.update_continuous_backups(
                TableName=name, PointInTimeRecoverySpecification=recovery
            )


def _api_id(formation: Any) -> str:
    [stack] = formation.describe_stacks(StackName=STACK)["Stacks"]
    return str(
        next(
            output["OutputValue"]
            for output in stack.get("Outputs", [])
            if output["OutputKey"] == "RestAPIId"
        )
    )


def _await_answer(emulator: Emulator, url: str) -> None:
    deadline = time.monotonic() + ANSWER_SECONDS
    answer = "no answer"
    while time.monotonic() < deadline:
        starts.check()
        try:
            response = requests.get(url, timeout=CALL_SECONDS)
            if response.ok:
                return
            answer = f"{response.status_code} {response.text[:MAX_ANSWER_LENGTH]}"
        except requests.RequestException as error:
            answer = type(error).__name__
        time.sleep(POLL_SECONDS)
    raise _failed(emulator, f"the API does not answer: {answer}")


def _failed(emulator: Emulator, reason: str) -> ServiceFailed:
    spec = emulator.spec
    return ServiceFailed(spec.name, reason, remedy=spec.remedy, log=emulator.process.log)
