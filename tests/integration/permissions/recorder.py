"""Recording of AWS calls: the actions and resources that IAM would check."""

from dataclasses import dataclass, field
from typing import Any

from infra.local.emulator import REGION

ACCOUNT = "000000000000"


@dataclass
class Recorder:
    """Records, for every call of an AWS client, the actions and resources that IAM would check."""

    calls: set[tuple[str, str]] = field(default_factory=set)

    def __call__(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        service = str(model.service_model.signing_name)
        for action, resource in _checks(str(model.name), params):
            owner = "ec2" if resource.startswith("instance/") else service
            self.calls.add(
                (f"{service}:{action}", f"arn:aws:{owner}:{REGION}:{ACCOUNT}:{resource}")
            )


def _checks(name: str, params: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the actions of one call, each with its resource."""
    if "TransactItems" in params:
        writes = [write for item in params["TransactItems"] for write in item.items()]
        return [(f"{kind}Item", f"table/{write['TableName']}") for kind, write in writes]
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
