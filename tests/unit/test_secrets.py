"""Secrets: references, refreshing, and errors that never show a value."""

import pytest

from chalicelib.config import Settings
from chalicelib.config.reader import declared, from_env
from chalicelib.security.secrets import PAUSE_SECONDS, Reference, Secret, plain
from chalicelib.shared.errors import AetherLinkError, Misconfigured, Unavailable
from tests.fakes.clock import FakeClock
from tests.fakes.secret_store import FakeSecrets

REFERENCE = Reference("secretsmanager", "database")
REFRESH = 300.0


class World:
    """A secret in a fake store, and the time."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store = FakeSecrets()
        self.errors = list[AetherLinkError]()
        self.store.put("database", "old")

        def fetch() -> tuple[str, ...]:
            return self.store.fetch(REFERENCE, overlapping=False)

        self.secret = Secret(
            fetch, self.clock, refresh_seconds=REFRESH, on_error=self.errors.append
        )


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        (
            "secretsmanager:aetherlink/prod/api",
            Reference("secretsmanager", "aetherlink/prod/api"),
        ),
        (
            "secretsmanager:aetherlink/prod/api#url",
            Reference("secretsmanager", "aetherlink/prod/api", "url"),
        ),
        (
            "secretsmanager:arn:aws:secretsmanager:eu-west-1:1:secret:x-AbCdEf#url",
            Reference(
                "secretsmanager",
                "arn:aws:secretsmanager:eu-west-1:1:secret:x-AbCdEf",
                "url",
            ),
        ),
        ("ssm:/aetherlink/prod/api", Reference("ssm", "/aetherlink/prod/api")),
        ("postgresql://user:password@host/x", None),
        ("secretsmanager:", None),
        ("vault:x", None),
        ("ssm:two words", None),
        ("", None),
    ],
)
def test_a_reference_names_service_secret_and_key(text: str, reference: Reference | None) -> None:
    assert Reference.parse(text) == reference


@pytest.mark.parametrize(
    ("text", "key", "values"),
    [
        ("old", "", ("old",)),
        ('["new", "old"]', "", ("new", "old")),
        ('{"a": "x"}', "a", ("x",)),
        ('{"a": ["x", "y"]}', "a", ("x", "y")),
        ('{"a": {"host": "h"}}', "a", ('{"host": "h"}',)),
        ("[not json", "", ("[not json",)),
    ],
)
def test_a_value_is_a_text_or_a_list_alone_or_in_an_object(
    text: str, key: str, values: tuple[str, ...]
) -> None:
    assert Reference("ssm", "name", key).values(text) == values


@pytest.mark.parametrize(
    ("text", "key"),
    [("", ""), ("[]", ""), ('["a", ""]', ""), ("s3cr3t", "a"), ('{"b": "s3cr3t"}', "a")],
)
def test_an_invalid_value_is_reported_without_showing_it(text: str, key: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        Reference("ssm", "name", key).values(text)
    assert "ssm:name" in str(refused.value)
    assert "s3cr3t" not in str(refused.value)


def test_a_secret_is_fetched_again_only_after_the_refresh_time(world: World) -> None:
    assert [world.secret.value() for _ in range(3)] == ["old"] * 3
    assert world.store.fetched == 1
    world.store.put("database", "new")
    world.clock.sleep(REFRESH - 1)
    assert world.secret.value() == "old"
    world.clock.sleep(1)
    assert world.secret.value() == "new"


def test_a_refused_secret_is_fetched_at_once_but_not_repeatedly(world: World) -> None:
    assert world.secret.value() == "old"
    assert not world.secret.renew()
    world.store.put("database", "new")
    assert not world.secret.renew(), "too soon"
    world.clock.sleep(PAUSE_SECONDS)
    assert world.secret.renew()
    assert world.secret.value() == "new"


def test_the_last_good_value_is_used_while_the_store_is_down(world: World) -> None:
    assert world.secret.value() == "old"
    world.store.problem = Unavailable("down", code="secrets-unavailable")
    world.clock.sleep(REFRESH)
    assert world.secret.value() == "old"
    assert [problem.code for problem in world.errors] == ["secrets-unavailable"]
    fetched = world.store.fetched
    assert world.secret.value() == "old"
    assert world.store.fetched == fetched, "a store that is down is not asked again at once"
    assert not world.secret.renew()
    world.store.problem = None
    world.store.put("database", "new")
    world.clock.sleep(PAUSE_SECONDS)
    assert world.secret.value() == "new"


@pytest.mark.parametrize("problem", [Unavailable("down"), Misconfigured("no such secret")])
def test_a_secret_that_was_never_read_raises_the_error_of_the_store(
    world: World, problem: AetherLinkError
) -> None:
    world.store.problem = problem
    with pytest.raises(type(problem)):
        world.secret.value()
    world.store.problem = None
    assert world.secret.value() == "old"


def test_a_plain_secret_never_changes() -> None:
    assert plain('["a", "b"]').accepted() == ("a", "b")
    assert not plain("a").renew()
    with pytest.raises(Misconfigured, match="CURSOR_SECRET"):
        plain("", "CURSOR_SECRET").value()


def test_settings_show_no_secret() -> None:
    settings = Settings().changed(
        database={"url": "s3cr3t", "relay_url": "s3cr3t"}, http={"cursor_secret": "s3cr3t"}
    )
    assert "s3cr3t" not in repr(settings.changed(kafka={"password": "s3cr3t"}))


@pytest.mark.parametrize(
    "name", ["CURSOR_SECRET", "DATABASE_URL", "RELAY_DATABASE_URL", "KAFKA_PASSWORD"]
)
def test_a_deployed_stage_refuses_a_secret_in_its_environment(name: str) -> None:
    sign_in = {
        "OIDC_ENABLED": "true",
        "OIDC_ISSUER": "https://issuer.example.test",
        "OIDC_AUDIENCE": "aetherlink",
    }
    deployed = {
        "STAGE": "prod",
        "CURSOR_SECRET": "secretsmanager:aetherlink/prod/cursors",
        **sign_in,
    }
    from_env(deployed)
    from_env({**deployed, name: "ssm:/aetherlink/prod/x"})
    with pytest.raises(Misconfigured, match=name) as refused:
        from_env({**deployed, name: "s3cr3t"})
    assert "s3cr3t" not in str(refused.value)
    assert from_env({"STAGE": "local", name: "s3cr3t"})


def test_a_secret_that_cannot_be_read_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(text: str) -> str:
        raise ValueError(f"{text} is wrong")

    for path, entry in declared():
        if path == "kafka.password":
            monkeypatch.setattr(entry, "metadata", {**entry.metadata, "parse": refuse})
    with pytest.raises(Misconfigured, match="KAFKA_PASSWORD") as refused:
        from_env({"KAFKA_PASSWORD": "s3cr3t"})
    assert "s3cr3t" not in str(refused.value)
