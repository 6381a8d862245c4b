"""Operating the healer over HTTP: access, configuration, approvals and health."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.builders.alerts import TCP, raw_alert
from tests.integration.autoheal.api import Api


@pytest.mark.parametrize(
    "path",
    ["/metrics", "/audit", "/autoheal/config", "/autoheal/actions", "/alerts", "/silences"],
)
def test_every_path_requires_a_role(api: Api, path: str) -> None:
    assert api("GET", path, headers={}).status_code == 401
    sales = Api(api.client, api.settings, roles="sales")
    assert sales("GET", path).status_code == 403
    assert api("GET", path).status_code == 200


def test_health_shows_the_configuration_in_force(api: Api) -> None:
    assert api("GET", "/").json_body == {
        "status": "ok",
        "enabled": False,
        "dry_run": True,
        "chaos": {"enabled": False, "failure_rate_pct": 0.0},
        "otel": {"enabled": False},
        "oidc": {"enabled": False},
        "actions": ["CrmMetricsScrapeStale", TCP, "UptimeProbeFailing"],
    }
    api(
        "PUT",
        "/autoheal/config",
        {"mode": "live", "chaos": {"percent": 10, "seconds": 600}},
    )
    health = api("GET", "/").json_body
    assert (health["enabled"], health["dry_run"]) == (True, False)
    assert health["chaos"] == {"enabled": True, "failure_rate_pct": 10.0}


@pytest.mark.parametrize(
    "body",
    [
        {"mode": "on"},
        {"chaos": {"percent": 11}},
        {"chaos": {"percent": -1}},
        {"chaos": {"percent": 5, "seconds": 90_000}},
        {"chaos": {}},
        {"colour": 1},
        [],
    ],
)
def test_an_invalid_configuration_is_refused(api: Api, body: Any) -> None:
    assert api("PUT", "/autoheal/config", body).status_code == 400


def test_the_etag_is_the_configuration_s_version(api: Api) -> None:
    first = api("PUT", "/autoheal/config", {"mode": "live"})
    assert first.headers["ETag"] == '"1"'
    headers = {
        "X-Tenant-Id": str(UUID(int=7)),
        "X-Roles": "ops",
        "Content-Type": "application/json",
    }
    stale = api("PUT", "/autoheal/config", {"mode": "off"}, headers={**headers, "If-Match": '"0"'})
    assert stale.status_code == 412
    good = api("PUT", "/autoheal/config", {"mode": "off"}, headers={**headers, "If-Match": '"1"'})
    assert (good.json_body["mode"], good.json_body["version"]) == ("off", 2)


def test_requests_are_counted_by_pattern_and_code(api: Api) -> None:
    for _ in range(100):
        api("GET", f"/autoheal/actions/{uuid4()}")
    text = api("GET", "/metrics").body.decode()
    assert 'crm_http_requests_total{code="404",method="GET",route="/autoheal/actions/{id}"}' in text
    assert 'crm_http_request_duration_seconds_bucket{code="404",le="0.5"}' in text


@pytest.mark.parametrize("path", ["approve", "reject"])
def test_only_an_admin_approves_and_only_a_waiting_action(api: Api, path: str) -> None:
    api.live()
    [result] = api.deliver(raw_alert()).json_body["results"]
    admin = Api(api.client, api.settings, roles="admin")
    where = f"/autoheal/actions/{result['actionId']}/{path}"
    assert api("POST", where).status_code == 403
    assert admin("POST", where).status_code == 409
    assert admin("POST", f"/autoheal/actions/{uuid4()}/{path}").status_code == 404
