from collections.abc import Callable

import pytest

from chalicelib.config import Settings
from chalicelib.config.reader import declared, from_env
from chalicelib.security.secrets import PAUSE_SECONDS, Reference, Secret, plain
from chalicelib.shared.errors import AetherLinkError, Misconfigured, Unavailable
from tests.fakes.clock import FakeClock
from tests.fakes.secret_store import FakeSecrets

REFERENCE = Reference("secretsmanager", "database")
REFRESH = 300.0


class Kept:
    """A secret in a fake store, and the time."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store = FakeSecrets()
        self.told = list[AetherLinkError]()
        self.store.put("database", "old")
        fetch: Callable[[], tuple[str, ...]] = lambda: self.store.fetch(
            REFERENCE, overlapping=False
        )
        self.secret = Secret(fetch, self.clock, refresh_seconds=REFRESH, tell=self.told.append)


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.mark.parametrize(
    ("text", "wanted"),
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
def test_a_reference_names_service_secret_and_key(text: str, wanted: Reference | None) -> None:
    assert Reference.parse(text) == wanted


@pytest.mark.parametrize(
    ("text", "key", "wanted"),
    [
        ("old", "", ("old",)),
        ('["new", "old"]', "", ("new", "old")),
        ('{"a": "x"}', "a", ("x",)),
        ('{"a": ["x", "y"]}', "a", ("x", "y")),
        ('{"a": {"host": "h"}}', "a", ('{"host": "h"}',)),
        ("[not json", "", ("[not json",)),
    ],
)
def test_a_value_is_a_text_or_a_list_of_them_perhaps_in_an_object(
    text: str, key: str, wanted: tuple[str, ...]
) -> None:
    assert Reference("ssm", "name", key).values(text) == wanted


@pytest.mark.parametrize(
    ("text", "key"),
    [("", ""), ("[]", ""), ('["a", ""]', ""), ("s3cr3t", "a"), ('{"b": "s3cr3t"}', "a")],
)
def test_a_value_that_cannot_be_is_told_without_showing_it(text: str, key: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        Reference("ssm", "name", key).values(text)
    assert "ssm:name" in str(refused.value)
    assert "s3cr3t" not in str(refused.value)


def test_a_secret_is_read_once_until_its_time_is_up(kept: Kept) -> None:
    assert [kept.secret.value() for _ in range(3)] == ["old"] * 3
    assert kept.store.fetched == 1
    kept.store.put("database", "new")
    kept.clock.sleep(REFRESH - 1)
    assert kept.secret.value() == "old"
    kept.clock.sleep(1)
    assert kept.secret.value() == "new"


def test_one_that_was_refused_is_read_at_once_and_not_again_and_again(kept: Kept) -> None:
    assert kept.secret.value() == "old"
    assert not kept.secret.renew()
    kept.store.put("database", "new")
    assert not kept.secret.renew(), "too soon"
    kept.clock.sleep(PAUSE_SECONDS)
    assert kept.secret.renew()
    assert kept.secret.value() == "new"


def test_the_last_good_value_outlives_a_store_that_is_down(kept: Kept) -> None:
    assert kept.secret.value() == "old"
    kept.store.problem = Unavailable("away", code="secrets-unavailable")
    kept.clock.sleep(REFRESH)
    assert kept.secret.value() == "old"
    assert [problem.code for problem in kept.told] == ["secrets-unavailable"]
    asked = kept.store.fetched
    assert kept.secret.value() == "old"
    assert kept.store.fetched == asked, "a store that is down is left alone for a while"
    assert not kept.secret.renew()
    kept.store.problem = None
    kept.store.put("database", "new")
    kept.clock.sleep(PAUSE_SECONDS)
    assert kept.secret.value() == "new"


@pytest.mark.parametrize("problem", [Unavailable("away"), Misconfigured("no such secret")])
def test_a_secret_that_was_never_read_is_told_about(kept: Kept, problem: AetherLinkError) -> None:
    kept.store.problem = problem
    with pytest.raises(type(problem)):
        kept.secret.value()
    kept.store.problem = None
    assert kept.secret.value() == "old"


def test_a_plain_secret_stays_what_it_is() -> None:
    assert plain('["a", "b"]').accepted() == ("a", "b")
    assert not plain("a").renew()
    with pytest.raises(Misconfigured, match="CURSOR_SECRET"):
        plain("", "CURSOR_SECRET").value()


def test_settings_show_no_secret() -> None:
    shown = Settings().changed(
        database={"url": "s3cr3t", "relay_url": "s3cr3t"}, http={"cursor_secret": "s3cr3t"}
    )
    assert "s3cr3t" not in repr(shown.changed(kafka={"password": "s3cr3t"}))


@pytest.mark.parametrize(
    "name", ["CURSOR_SECRET", "DATABASE_URL", "RELAY_DATABASE_URL", "KAFKA_PASSWORD"]
)
def test_no_secret_stands_in_the_environment_of_a_deployed_stage(name: str) -> None:
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
