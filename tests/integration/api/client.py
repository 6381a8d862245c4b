"""A client of the API, and what every problem document must have."""

import json
from typing import Any
from uuid import UUID

from chalice.test import Client, HTTPResponse


class Api:
    """A client of the API, for one tenant and its roles."""

    def __init__(self, client: Client, tenant: UUID, roles: str = "sales") -> None:
        self.client = client
        self.tenant = tenant
        self.roles = roles

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
    ) -> HTTPResponse:
        if body is None:
            raw = b""
        else:
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        fixed = {
            "X-Tenant-Id": str(self.tenant),
            "X-Roles": self.roles,
            "Content-Type": "application/json",
        }
        return self.client.http.request(
            method, path, headers={**fixed, **(headers or {})}, body=raw
        )

    def create(self, collection: str, **body: Any) -> dict[str, Any]:
        answer = self("POST", f"/api/crm/{collection}", body)
        assert answer.status_code == 201, answer.body
        return dict(answer.json_body)


def problem(
    answer: HTTPResponse, status: int, code: str, field: str | None = None
) -> dict[str, Any]:
    """Assert that `answer` is this problem; return its members."""
    body = dict(json.loads(answer.body))
    assert (answer.status_code, body["status"], body["code"]) == (status, status, code), body
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert {"type", "title", "detail", "instance", "requestId", "errors"} <= set(body)
    assert "Traceback" not in answer.body.decode()
    if field is not None:
        assert field in [error["field"] for error in body["errors"]]
    return body
