import pytest

from chalicelib.config import Settings
from chalicelib.errors import Misconfigured


def test_settings_come_from_the_environment_with_defaults() -> None:
    settings = Settings.from_env({"OUTBOX_SHARDS": "16", "OIDC_ENABLED": "No"})
    assert (settings.outbox_shards, settings.oidc_enabled, settings.relay_poll_seconds) == (16, False, 1.0)


def test_every_unreadable_setting_is_named() -> None:
    with pytest.raises(Misconfigured) as refused:
        Settings.from_env({"OUTBOX_SHARDS": "many", "STAGE": "moon", "RELAY_POLL_SECONDS": "6"})
    assert all(name in str(refused.value) for name in ("OUTBOX_SHARDS", "STAGE", "RELAY_POLL_SECONDS"))


def test_development_sign_in_refuses_to_start_anywhere_but_locally() -> None:
    with pytest.raises(Misconfigured, match="OIDC_ENABLED"):
        Settings.from_env({"STAGE": "prod", "OIDC_ENABLED": "false", "CURSOR_SECRET": "x"})


def test_a_deployed_stage_needs_a_cursor_secret() -> None:
    with pytest.raises(Misconfigured, match="CURSOR_SECRET"):
        Settings.from_env({"STAGE": "prod", "OIDC_ENABLED": "true"})


def test_what_is_misconfigured_is_not_told_to_callers() -> None:
    assert "SECRET" not in Misconfigured("SECRET_THING is empty").detail


@pytest.mark.parametrize("origin", ["*", "crm.example.com", "https://crm.example.com/", "https://a b", "null"])
def test_only_whole_origins_are_taken(origin: str) -> None:
    with pytest.raises(Misconfigured, match="no origin"):
        Settings.from_env({"CORS_ALLOWED_ORIGINS": f"https://good.example.com,{origin}"})
    good = Settings.from_env({"CORS_ALLOWED_ORIGINS": "https://good.example.com, http://localhost:3000"})
    assert good.cors_allowed_origins == ("https://good.example.com", "http://localhost:3000")
