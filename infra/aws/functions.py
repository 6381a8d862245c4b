"""What every function of the template has that Chalice cannot state."""

from typing import Any, Final

from infra.aws.runtime import Runtime

FUNCTION: Final = "AWS::Serverless::Function"
RESERVED: Final = "ScheduledFunctionConcurrency"
RESERVED_GIVEN: Final = "ScheduledFunctionConcurrencyGiven"
RETENTION: Final = "LogRetentionDays"
FAILURES: Final = "ScheduledFunctionFailures"
FAILURES_DAYS: Final = 14

INVOCATIONS: Final = {
    "MaximumRetryAttempts": 0,
    "MaximumEventAgeInSeconds": 60,
    "DestinationConfig": {
        "OnFailure": {"Type": "SQS", "Destination": {"Fn::GetAtt": [FAILURES, "Arn"]}}
    },
}
"""How Lambda handles a failed run of a schedule, which invokes asynchronously.

By default Lambda retries a failed run twice and a throttled one for six hours. The next
minute's run does the same work, so stale invocations would only queue up.
"""

PARAMETERS: Final = {
    RESERVED: {
        "Type": "String",
        "Default": "",
        "AllowedPattern": "[0-9]*",
        "Description": "Reserved concurrency of each scheduled function; empty is none. "
        "A new account may have 10 in all, none of which can be reserved.",
    },
    RETENTION: {
        "Type": "Number",
        "Default": 30,
        "AllowedValues": [1, 3, 5, 7, 14, 30, 60, 90, 180, 365, 731],
        "Description": "Days that the functions' log lines are kept.",
    },
}
CONDITIONS: Final = {RESERVED_GIVEN: {"Fn::Not": [{"Fn::Equals": [{"Ref": RESERVED}, ""]}]}}


def complete(template: dict[str, Any], runtime: Runtime) -> None:
    """Complete every function of `template` in place, and add what they refer to."""
    functions = {
        name: resource["Properties"]
        for name, resource in template["Resources"].items()
        if resource["Type"] == FUNCTION
    }
    for name, function in functions.items():
        function["Runtime"] = f"python{runtime.python}"
        if runtime.architecture:
            function["Architectures"] = [runtime.architecture]
        if _is_scheduled(function):
            function["EventInvokeConfig"] = INVOCATIONS
            function["ReservedConcurrentExecutions"] = {
                "Fn::If": [RESERVED_GIVEN, {"Ref": RESERVED}, {"Ref": "AWS::NoValue"}]
            }
            _allow_failures(template, function)
        function["LoggingConfig"] = {"LogGroup": {"Ref": f"{name}Logs"}}
        template["Resources"][f"{name}Logs"] = _log_group(name)
    template["Resources"][FAILURES] = {
        "Type": "AWS::SQS::Queue",
        "Properties": {
            "MessageRetentionPeriod": FAILURES_DAYS * 86_400,
            "SqsManagedSseEnabled": True,
        },
    }
    template["Parameters"] = template.get("Parameters", {}) | PARAMETERS
    template["Conditions"] = template.get("Conditions", {}) | CONDITIONS


def _is_scheduled(function: dict[str, Any]) -> bool:
    return any(event["Type"] == "Schedule" for event in function.get("Events", {}).values())


def _log_group(function: str) -> dict[str, Any]:
    """Return the log group of `function`; those that Lambda makes itself never expire."""
    return {
        "Type": "AWS::Logs::LogGroup",
        "Properties": {
            "LogGroupName": {"Fn::Sub": f"/aws/lambda/${{AWS::StackName}}-{function}"},
            "RetentionInDays": {"Ref": RETENTION},
        },
    }


def _allow_failures(template: dict[str, Any], function: dict[str, Any]) -> None:
    """Let the function's role send what failed to the queue."""
    role = function["Role"]["Fn::GetAtt"][0]
    policies = template["Resources"][role]["Properties"]["Policies"]
    document = policies[0]["PolicyDocument"]
    document["Statement"] = [
        *document["Statement"],
        {
            "Effect": "Allow",
            "Action": "sqs:SendMessage",
            "Resource": {"Fn::GetAtt": [FAILURES, "Arn"]},
        },
    ]
