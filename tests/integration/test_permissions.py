"""What the functions may do on AWS is what they do: their policies, held against every call they make."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import boto3
import pytest
from chalice.test import Client

import app
from chalicelib.autoheal.runbooks import load
from chalicelib.bootstrap import container
from chalicelib.config import Settings
from chalicelib.config.reader import from_env
from chalicelib.entrypoints import schedule
from infra.aws import policies, secrets
from infra.local.alertmanager import Alertmanager
from infra.local.emulator import REGION, Emulator
from infra.local.ports import free_port
from infra.local.ssm import LocalSsm
from infra.paths import ROOT
from tests.builders.alerts import TCP, delivery, raw_alert
from tests.conftest import Compose
from tests.contract.autoheal_suites import create_tables
from tests.contract.test_lease_store import TABLE, create_table
from tests.integration.test_alertmanager import VALUES

FOLDER = ROOT / ".chalice"
FUNCTIONS = {
    name: one["iam_policy_file"]
    for name, one in json.loads((FOLDER / "config.json").read_text())["lambda_functions"].items()
}
ACCOUNT = "000000000000"
Send = Callable[..., tuple[int, Any]]
Calls = dict[str, set[tuple[str, str]]]
EVERYTHING = {
    "ec2:CreateNetworkInterface": "Lambda makes it before there is a name; EC2 lets only subnets and groups be named",
    "ec2:DescribeNetworkInterfaces": "EC2's Describe calls know no resources",
    "ec2:DeleteNetworkInterface": "Lambda deletes what it made, whose ids nobody knows ahead",
    "ssm:CancelCommand": "SSM's commands are no resources",
    "ssm:ListCommandInvocations": "SSM's commands are no resources",
    "ssm:ListCommands": "SSM's commands are no resources",
}
"""What is allowed on every resource, and why AWS allows nothing narrower."""

NOT_BY_THE_CODE = {
    "logs:CreateLogGroup": "Lambda does",
    "logs:CreateLogStream": "Lambda does",
    "logs:PutLogEvents": "Lambda does",
    "ec2:CreateNetworkInterface": "Lambda does, and the condition keeps the code from it",
    "ec2:DescribeNetworkInterfaces": "Lambda does, and the condition keeps the code from it",
    "ec2:DeleteNetworkInterface": "Lambda does, and the condition keeps the code from it",
    "ssm:CancelCommand": "for a command that runs past its time",
    "sns:Publish": "where AUTOHEAL_ESCALATION_TOPIC_ARN is set",
    "kafka-cluster:Connect": "MSK asks for it when a client logs in",
    "kafka-cluster:DescribeTopic": "MSK asks for it when the publisher reads its topics",
    "kafka-cluster:WriteData": "MSK asks for it when the publisher sends",
    "kafka-cluster:WriteDataIdempotently": "MSK asks for it: the producer is idempotent",
}
"""What no call needs that is recorded here."""

HEALERS = ("api_handler", "autoheal_tick")
"""The tick goes on with whatever the webhook began, so each may do what the other was seen to do in healing."""


OF_EVERY_STAGE = {
    "document/AetherLink-*": "runbooks name the documents, which are the same in every stage",
    "instance/*": "machines have no names; a condition asks for the tag that ours carry",
}
"""Resources that are not named after a stage, and why."""


@dataclass
class Recorder:
    """Every call of an AWS client: the action and the resource that IAM would be asked about."""

    calls: set[tuple[str, str]] = field(default_factory=set)

    def __call__(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        service = str(model.service_model.signing_name)
        for action, resource in _asked(str(model.name), params):
            owner = "ec2" if resource.startswith("instance/") else service
            self.calls.add(
                (f"{service}:{action}", f"arn:aws:{owner}:{REGION}:{ACCOUNT}:{resource}")
            )


def _asked(name: str, params: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what IAM is asked about one call: the actions, and the resource of each."""
    if "TransactItems" in params:
        parts = [
            (kind, part["TableName"])
            for item in params["TransactItems"]
            for kind, part in item.items()
        ]
        return [(f"{kind}Item", f"table/{table}") for kind, table in parts]
    if "RequestItems" in params:
        return [(name, f"table/{table}") for table in params["RequestItems"]]
    if "TableName" in params:
        index = f"/index/{params['IndexName']}" if "IndexName" in params else ""
        return [(name, f"table/{params['TableName']}{index}")]
    if name == "SendCommand":
        return [(name, f"document/{params['DocumentName']}"), (name, "instance/i-0123")]
    if "SecretId" in params:
        return [(name, f"secret:{params['SecretId']}-AbCdEf")]
    return [(name, f"parameter{params['Name']}" if name == "GetParameter" else "*")]


def _matches(pattern: str, arn: str) -> bool:
    expression = "".join(
        {"*": ".*", "?": "."}.get(character, re.escape(character)) for character in pattern
    )
    return re.fullmatch(expression, arn) is not None


def _policy(file: str) -> dict[str, Any]:
    return dict(json.loads((FOLDER / file).read_text()))


def _allowed(file: str) -> set[tuple[str, str]]:
    return {
        (action, resource)
        for statement in _policy(file)["Statement"]
        for action in policies.actions(statement)
        for resource in policies.resources(statement)
    }


class Context:
    """What Lambda tells an invocation."""

    aws_request_id = "request-1"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 4_000


def _serve(tenant: UUID) -> None:
    fixed = {"X-Tenant-Id": str(tenant), "Content-Type": "application/json"}
    with Client(app.app, stage_name="local") as client:

        def send(method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
            answer = client.http.request(
                method,
                path,
                {**fixed, "X-Roles": "sales", **headers},
                json.dumps(body).encode(),
            )
            return answer.status_code, answer.json_body

        once = {"Idempotency-Key": str(uuid4())}
        made = send("POST", "/api/crm/accounts", {"name": "x"}, **once)
        assert made[0] == 201, made
        assert send("POST", "/api/crm/accounts", {"name": "y"})[0] == 201
        nobody = {"accountId": str(uuid4()), "title": "x"}
        assert send("POST", "/api/crm/jobs", nobody, **{"Idempotency-Key": str(uuid4())})[0] == 422
        assert send("GET", "/api/crm/accounts?limit=1")[1]["nextCursor"]
        assert send("GET", "/api/outbox", **{"X-Roles": "ops"})[0] == 200
        _heal(send)


def _heal(send: Send) -> None:
    """Walk through everything that the healer's door offers."""
    ops = {"X-Roles": "admin"}
    hook = {"Authorization": "Bearer hook"}

    def deliver(*alerts: Any) -> list[dict[str, Any]]:
        status, told = send("POST", "/autoheal/alert", json.loads(delivery(*alerts)), **hook)
        assert status == 200, told
        return list(told["results"])

    assert send("PUT", "/autoheal/config", {"mode": "live"}, **ops)[0] == 200
    assert send("GET", "/autoheal/config", **ops)[0] == 200
    first = raw_alert(starts_at=datetime.now(UTC), fingerprint=uuid4().hex[:16])
    sent = deliver(first)
    assert sent[0]["result"] == "executed", sent
    deliver(first, raw_alert(autoheal=None), {**first, "status": "resolved"})
    for name in sorted(load()):
        deliver(
            raw_alert(
                name,
                starts_at=datetime.now(UTC),
                fingerprint=uuid4().hex[:16],
                service="crm-db",
            )
        )
    waiting = send("GET", "/autoheal/actions?state=AWAITING_APPROVAL", **ops)[1]["items"]
    for act, action in zip(("approve", "reject"), waiting, strict=False):
        send("POST", f"/autoheal/actions/{action['id']}/{act}", **ops)
    listed = send("GET", "/autoheal/actions", **ops)[1]["items"]
    assert send("GET", f"/autoheal/actions/{listed[0]['id']}", **ops)[0] == 200
    for query in (
        "",
        "?kind=action_sent",
        f"?alertname={TCP}",
        "?contains=x&n=5",
        "?since=1",
    ):
        assert send("GET", f"/audit{query}", **ops)[0] == 200
    labels = {"alertname": TCP, "service": "crm-api"}
    status, told = send("POST", "/ack", {"labels": labels, "duration": "1m"}, **ops)
    assert status in (200, 502), told
    if status == 200:
        assert send("DELETE", f"/silences/{told['silenceId']}", **ops)[0] == 204
    assert send("GET", "/ack?token=made-up")[0] == 403
    assert send("GET", "/metrics", Authorization="Bearer scrape")[0] == 200


def _relay() -> None:
    """Relay with a broker that is away, and again while somebody else holds every shard: one has something to count."""
    schedule.run_relay(Context())
    container().outbox.store("somebody else").claim(uuid4(), limit=1_000, seconds=60)
    schedule.run_relay(Context())


def _work(tenant: UUID) -> dict[str, Callable[[], object]]:
    return {
        "api_handler": lambda: _serve(tenant),
        "relay": _relay,
        "replay": lambda: schedule.run_replays(Context()),
        "outbox_upkeep": schedule.run_outbox_upkeep,
        "idempotency_cleanup": schedule.run_idempotency_cleanup,
        "autoheal_tick": lambda: schedule.run_autoheal_tick(Context()),
        "metrics_push": lambda: schedule.run_metrics_push(Context()),
    }


@pytest.fixture
def recorded(
    emulator: Emulator,
    ssm: LocalSsm,
    alertmanager: Alertmanager,
    database: Settings,
    tenant: UUID,
    composed: Compose,
    monkeypatch: pytest.MonkeyPatch,
) -> Calls:
    """The calls of each function, with its secrets kept in one service and then in the other."""
    kept = {
        "CURSOR_SECRET": "x" * 32,
        "DATABASE_URL": database.database.url,
        "KAFKA_PASSWORD": "not asked for here",
        "RELAY_DATABASE_URL": database.database.relay_url,
        "AUTOHEAL_WEBHOOK_TOKENS": "hook",
        "AUTOHEAL_LINK_SECRETS": "k" * 32,
        "METRICS_SCRAPE_TOKENS": "scrape",
    }
    names = {setting: secrets.name(setting, "local") for setting in kept}
    create_table(emulator.client("dynamodb"))
    prefixes = [f"aetherlink-autoheal-{uuid4().hex[:8]}" for _ in range(2)]
    for prefix in prefixes:
        create_tables(emulator.client("dynamodb"), prefix)
    alertmanager.start(VALUES)
    emulator.store_secrets({names[setting]: text for setting, text in kept.items()})
    store = ssm.client()
    for setting, text in kept.items():
        store.put_parameter(
            Name="/" + names[setting], Value=text, Type="SecureString", Overwrite=True
        )
    for name, value in {
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": REGION,
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", emulator.url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", ssm.url)
    fixed = {
        "IDEMPOTENCY_TABLE": TABLE,
        "TENANT_RATE_PER_SECOND": "1000",
        "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}",
        "KAFKA_REQUEST_TIMEOUT_MS": "200",
        "OPERATOR_TENANT_ID": str(tenant),
        "PUSHGATEWAY_URL": f"http://127.0.0.1:{free_port()}",
        "ALERTMANAGER_URL": alertmanager.url,
    }
    found: Calls = {}
    for references in (
        secrets.references(kept, "local"),
        {one: f"ssm:/{name}" for one, name in names.items()},
    ):
        fixed["AUTOHEAL_TABLE_PREFIX"] = prefixes.pop()
        for function, work in _work(tenant).items():
            recorder = Recorder()
            session = boto3.session.Session()
            session.events.register("provide-client-params", recorder)
            monkeypatch.setattr(boto3, "DEFAULT_SESSION", session)
            composed(from_env({**fixed, **references}))
            work()
            found[function] = found.get(function, set()) | recorder.calls
    return found


def _is_healing(action: str, resource: str) -> bool:
    if action == "dynamodb:Query":
        return "-actions/" in resource
    return "-autoheal-" in resource or (action.startswith("ssm:") and action != "ssm:GetParameter")


def test_every_function_has_a_policy_and_its_calls_are_known() -> None:
    assert set(_work(uuid4())) == set(FUNCTIONS)
    assert {file.name for file in FOLDER.glob("policy-*.json")} == set(FUNCTIONS.values())


def test_functions_may_do_what_they_do_and_nothing_else(recorded: Calls) -> None:
    healing = {call for function in HEALERS for call in recorded[function] if _is_healing(*call)}
    for file in set(FUNCTIONS.values()):
        calls = {
            call
            for function, found in recorded.items()
            if FUNCTIONS[function] == file
            for call in found
        }
        calls |= healing if file in {FUNCTIONS[function] for function in HEALERS} else set()
        allowed = {one for one in _allowed(file) if one[0] not in NOT_BY_THE_CODE}
        needed = {
            (call, one)
            for call in calls
            for one in allowed
            if call[0] == one[0] and _matches(one[1], call[1])
        }
        missing = calls - {call for call, _ in needed}
        unused = allowed - {one for _, one in needed}
        assert calls, f"{file}: nothing was recorded"
        assert not missing, f"{file} lacks {missing}"
        assert not unused, f"{file} allows what nobody does: {unused}"


@pytest.mark.parametrize("file", sorted(set(FUNCTIONS.values())))
def test_policies_name_single_actions_on_our_own_resources(file: str) -> None:
    for action, resource in _allowed(file):
        assert "*" not in action, f"{file}: {action}"
        if resource.partition(":document/")[2] or resource.endswith("instance/*"):
            assert [one for one in OF_EVERY_STAGE if resource.endswith(one)], resource
        elif resource == "*":
            assert EVERYTHING.get(action), (
                f"{file}: {action} is allowed on everything without a reason"
            )
        else:
            assert re.search(r"[:/]aetherlink[-/*]", resource), (
                f"{file}: {resource} may be somebody else's"
            )
    for statement in _policy(file)["Statement"]:
        if any(action.startswith("ec2:") for action in policies.actions(statement)):
            assert statement["Condition"] == {"Null": {"lambda:SourceFunctionArn": "true"}}


@pytest.mark.parametrize("file", sorted(set(FUNCTIONS.values())))
def test_a_package_narrows_them_to_its_stage_account_and_region(file: str) -> None:
    for statement in policies.narrow(_policy(file), "prod")["Statement"]:
        for resource in statement["Resource"]:
            text = resource if isinstance(resource, str) else resource["Fn::Sub"]
            if text == "*":
                continue
            assert text.startswith("arn:${AWS::Partition}:"), text
            assert "${AWS::Region}:${AWS::AccountId}:" in text
            if "kafka" not in text and not text.endswith(tuple(OF_EVERY_STAGE)):
                assert "prod" in text or "${AWS::StackName}" in text, f"{text} is any stage's"
