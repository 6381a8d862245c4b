"""Settings from the environment, and the combinations that are refused."""

import pytest

from chalicelib.autoheal import runbooks
from chalicelib.config import Settings
from chalicelib.config.reader import declared, from_env
from chalicelib.shared.errors import Misconfigured

SIGN_IN = {
    "OIDC_ENABLED": "true",
    "OIDC_ISSUER": "https://issuer.example.test",
    "OIDC_AUDIENCE": "aetherlink",
}


def test_settings_come_from_the_environment_with_defaults() -> None:
    settings = from_env({"OUTBOX_SHARDS": "16", "OIDC_ENABLED": "No"})
    assert (settings.outbox.shards, settings.oidc.enabled, settings.relay.poll_seconds) == (
        16,
        False,
        1.0,
    )


def test_every_unreadable_setting_is_named() -> None:
    with pytest.raises(Misconfigured) as refused:
        from_env({"OUTBOX_SHARDS": "many", "STAGE": "moon", "RELAY_POLL_SECONDS": "6"})
    assert all(
        name in str(refused.value) for name in ("OUTBOX_SHARDS", "STAGE", "RELAY_POLL_SECONDS")
    )


def test_development_sign_in_is_refused_except_on_stage_local() -> None:
    with pytest.raises(Misconfigured, match="OIDC_ENABLED"):
        from_env({"STAGE": "prod", "OIDC_ENABLED": "false", "CURSOR_SECRET": "x"})


def test_a_deployed_stage_needs_a_cursor_secret() -> None:
    with pytest.raises(Misconfigured, match="CURSOR_SECRET"):
        from_env({"STAGE": "prod", **SIGN_IN})


def test_callers_do_not_see_what_is_misconfigured() -> None:
    assert "SECRET" not in Misconfigured("SECRET_THING is empty").detail


@pytest.mark.parametrize(
    "origin", ["*", "crm.example.com", "https://crm.example.com/", "https://a b", "null"]
)
def test_only_complete_origins_are_accepted(origin: str) -> None:
    with pytest.raises(Misconfigured, match="not an origin"):
        from_env({"CORS_ALLOWED_ORIGINS": f"https://good.example.com,{origin}"})
    good = from_env({"CORS_ALLOWED_ORIGINS": "https://good.example.com, http://localhost:3000"})
    assert good.http.cors_allowed_origins == (
        "https://good.example.com",
        "http://localhost:3000",
    )


@pytest.mark.parametrize(
    "url",
    [
        "crm.example.com",
        "/api",
        "ftp://crm.example.com",
        "https://",
        "https://user@crm.example.com",
        "https://user:1@crm.example.com",
        "https://crm.example.com/api?x=1",
        "https://crm.example.com/api#x",
        "https://crm.example.com/a b",
        "https://crm.example.com/<api>",
    ],
)
def test_the_public_address_must_be_absolute(url: str) -> None:
    with pytest.raises(Misconfigured, match="PUBLIC_URL"):
        from_env({"PUBLIC_URL": url})


@pytest.mark.parametrize("url", ["https://crm.example.com", "http://[::1]:8000/api/v1", ""])
def test_the_public_address_is_read_without_a_slash_at_its_end(url: str) -> None:
    assert from_env({"PUBLIC_URL": url}).http.public_url == url
    assert from_env({"PUBLIC_URL": f"{url}/" if url else ""}).http.public_url == url


@pytest.mark.parametrize("missing", ["OIDC_ISSUER", "OIDC_AUDIENCE"])
def test_sign_in_needs_an_issuer_and_an_audience(missing: str) -> None:
    with pytest.raises(Misconfigured, match=missing):
        from_env({**SIGN_IN, missing: ""})


@pytest.mark.parametrize("name", ["OIDC_ISSUER", "OIDC_JWKS_URL"])
def test_a_deployed_stage_needs_an_issuer_with_https(name: str) -> None:
    plain = {**SIGN_IN, "CURSOR_SECRET": "x", name: "http://issuer.example.test"}
    assert from_env({**plain, "STAGE": "local"}).oidc.enabled
    with pytest.raises(Misconfigured, match="https"):
        from_env({**plain, "STAGE": "prod"})


@pytest.mark.parametrize(
    "url",
    ["issuer", "ftp://issuer", "file:///etc/passwd", "https://a?b=c", "https://user@a"],
)
def test_an_issuer_must_be_an_http_address(url: str) -> None:
    with pytest.raises(Misconfigured, match="OIDC_ISSUER"):
        from_env({**SIGN_IN, "OIDC_ISSUER": url})


def test_an_api_may_have_several_audiences() -> None:
    assert from_env({**SIGN_IN, "OIDC_AUDIENCE": "web, mobile"}).oidc.audience == (
        "web",
        "mobile",
    )


def test_an_operator_tenant_is_a_uuid_or_none() -> None:
    tenant = "0197a3c0-5f3e-7cc4-9d0a-2b8b6f0f1e11"
    assert str(from_env({"OPERATOR_TENANT_ID": tenant}).operator_tenant_id) == tenant
    assert from_env({"OPERATOR_TENANT_ID": ""}).operator_tenant_id is None
    with pytest.raises(Misconfigured, match="OPERATOR_TENANT_ID"):
        from_env({"OPERATOR_TENANT_ID": "all"})


def test_each_runbook_has_a_cooldown_setting_of_its_own() -> None:
    policy = from_env({"COOLDOWN_UPTIME_PROBE_FAILING_SEC": "5"}).autoheal
    assert policy.cooldowns == {"UptimeProbeFailing": 5}
    assert policy.cooldown(runbooks.load()["UptimeProbeFailing"]).total_seconds() == 5
    assert policy.cooldown(runbooks.load()["TcpEndpointDownFast"]).total_seconds() == 600
    assert from_env({"COOLDOWN_UPTIME_PROBE_FAILING_SEC": " "}).autoheal.cooldowns == {}


@pytest.mark.parametrize(
    "variable", ["COOLDOWN_UPTIME_PROBE_FAILIN_SEC", "COOLDOWN_UPTIME_PROBE_FAILING_SEC"]
)
def test_a_cooldown_of_an_unknown_alert_or_without_a_number_is_refused(variable: str) -> None:
    with pytest.raises(Misconfigured, match=variable):
        from_env({variable: "5 minutes"})


def test_settings_change_by_section() -> None:
    settings = Settings().changed(stage="dev", kafka={"bootstrap_servers": "a:1"})
    assert (settings.stage, settings.kafka.bootstrap_servers) == ("dev", "a:1")
    assert settings.kafka.request_timeout_ms == Settings().kafka.request_timeout_ms
    with pytest.raises(TypeError):
        settings.changed(kafka={"bootstrap_server": "a:1"})


def test_every_declared_setting_has_a_variable_of_its_own() -> None:
    variables = [
        entry.metadata.get("env") or entry.metadata["env_by_alert"] for _, entry in declared()
    ]
    assert len(variables) == len(set(variables)) > 75
