"""Cross-origin requests."""

from uuid import uuid4

from chalicelib.config import Settings
from tests.conftest import Compose
from tests.integration.api.client import Api


def test_only_configured_origins_may_read_responses(
    api: Api, database: Settings, composed: Compose
) -> None:
    ours = {"Origin": "https://crm.example.test"}
    theirs = {"Origin": "https://evil.example.test"}
    assert "Access-Control-Allow-Origin" not in api("GET", "/", headers=ours).headers
    composed(database.changed(http={"cors_allowed_origins": ("https://crm.example.test",)}))
    preflight = api(
        "OPTIONS",
        "/api/crm/jobs",
        headers={**ours, "Access-Control-Request-Method": "POST"},
    )
    assert preflight.headers["Access-Control-Allow-Origin"] == ours["Origin"]
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    assert "Idempotency-Key" in preflight.headers["Access-Control-Allow-Headers"]
    missing = api("GET", f"/api/crm/jobs/{uuid4()}", headers=ours)
    assert (missing.status_code, missing.headers["Access-Control-Allow-Origin"]) == (
        404,
        ours["Origin"],
    )
    assert (
        missing.headers["Vary"],
        "ETag" in missing.headers["Access-Control-Expose-Headers"],
    ) == ("Origin", True)
    for path in ("/", "/api/crm/jobs"):
        for method in ("GET", "OPTIONS"):
            refused = api(method, path, headers=theirs)
            assert not [name for name in refused.headers if name.startswith("Access-Control")]
            assert refused.headers["Vary"] == "Origin"
