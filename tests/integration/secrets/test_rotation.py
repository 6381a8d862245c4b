"""Secrets change without a request lost."""

from chalice.test import HTTPResponse

from chalicelib.bootstrap import container
from chalicelib.config import Settings
from tests.conftest import Compose
from tests.integration.secrets.world import REFRESH_SECONDS, SecretsWorld


def test_a_database_password_changes_without_a_request_lost(world: SecretsWorld) -> None:
    assert world.create().status_code == 201
    world.change_password("aetherlink_api", "changed/1")
    world.keep(api=world.url("aetherlink_api", "changed/1"))
    assert world.create().status_code == 201, (
        "the old password was refused, so the new one was fetched at once"
    )
    assert world.send("GET", "/health/ready").status_code == 200


def test_the_outbox_admin_s_password_changes_too(world: SecretsWorld) -> None:
    assert world.send("GET", "/api/outbox", role="ops").status_code == 200
    world.change_password("aetherlink_relay", "changed/2")
    world.keep(relay=world.url("aetherlink_relay", "changed/2"))
    assert world.send("GET", "/api/outbox", role="ops").status_code in (200, 503), (
        "the open session may have been cut"
    )
    assert world.send("GET", "/api/outbox", role="ops").status_code == 200


def test_a_secret_in_the_format_of_rds_is_accepted(world: SecretsWorld, composed: Compose) -> None:
    password = world.postgres.passwords()["aetherlink_api"]
    secret = {
        "engine": "postgres",
        "username": "aetherlink_api",
        "password": password,
        "host": "127.0.0.1",
    }
    world.keep(api={**secret, "port": world.postgres.port, "dbname": "aetherlink"})
    assert world.create().status_code == 201
    composed(container().settings, world.clock)
    world.keep(api={"username": "without the rest"})
    assert world.create().json_body["code"] == "misconfigured"


def test_cursors_stay_valid_for_a_while_after_a_rotation(
    world: SecretsWorld,
) -> None:
    for _ in range(2):
        world.create()

    def after(path: str) -> HTTPResponse:
        return world.send("GET", "/api/crm/accounts?limit=1&cursor=" + path)

    old = world.send("GET", "/api/crm/accounts?limit=1").json_body["nextCursor"]
    world.keep(cursors="second")
    world.clock.passed += REFRESH_SECONDS
    new = world.send("GET", "/api/crm/accounts?limit=1").json_body["nextCursor"]
    assert old != new
    assert [after(cursor).status_code for cursor in (old, new)] == [200, 200]
    world.clock.passed += Settings().secrets.overlap_seconds
    assert [after(cursor).status_code for cursor in (old, new)] == [400, 200]
