"""Every link of every answer leads somewhere, wherever the API is mounted."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from urllib.parse import urljoin, urlsplit
from uuid import UUID, uuid4

import pytest
import requests
from chalice.local import LambdaEventConverter, RouteMatcher

import app
from chalicelib.config import Settings
from infra.local.alertmanager import Alertmanager
from infra.local.emulator import Emulator
from infra.local.ssm import LocalSsm
from tests.conftest import Compose
from tests.integration.autoheal.api import autoheal_settings

HEADERS = {
    "Host": "evil.example.test",
    "X-Forwarded-Host": "evil.example.test",
    "X-Tenant-Id": str(UUID(int=7)),
    "X-Roles": "admin",
    "Content-Type": "application/json",
}
CRM = "/api/crm"


@dataclass(frozen=True)
class Mounting:
    """Where callers see the API, and what the function sees of that."""

    seen: str
    """The address of the API's root for its callers."""

    context: str = ""
    """What `requestContext.path` has before the path of the route."""

    stage: str | None = "api"
    public_url: str = ""


MOUNTINGS = {
    "a stage named as the API's first step": Mounting("https://x1.aws.test/api", "/api"),
    "a stage of another name": Mounting("https://x1.aws.test/prod", "/prod", "prod"),
    "the root of a custom domain": Mounting("https://crm.example.test"),
    "a base path": Mounting("https://example.test/crm", "/crm"),
    "a base path as the API's own steps": Mounting("https://example.test/api/crm", "/api/crm"),
    "a proxy that changes the path": Mounting("https://example.test/a/b", "/api"),
    "the emulator's stage": Mounting("http://127.0.0.1:4566/restapis/x/api/_user_request_", "/api"),
    "the emulator's host": Mounting("http://x.execute-api.localhost:4566/api", "/api"),
    "the emulator's custom domain": Mounting("http://127.0.0.1:4566/aetherlink", "/api"),
    "chalice local": Mounting("http://127.0.0.1:8000", stage=None),
    "a public address": Mounting(
        "https://crm.example.test/v1", "/v1", public_url="https://crm.example.test/v1"
    ),
    "a public address with a slash": Mounting(
        "https://crm.example.test", public_url="https://crm.example.test/"
    ),
}


@dataclass(frozen=True)
class Answer:
    """An answer, and the address that was asked."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: str

    def json(self) -> Any:
        return json.loads(self.body)

    def links(self) -> Iterator[tuple[str, str]]:
        """Yield the method and the reference of each link."""
        if "Location" in self.headers:
            yield "GET", self.headers["Location"]
        for target in re.findall(r"<([^>]*)>", self.headers.get("Link", "")):
            yield "GET", target
        if self.headers["Content-Type"].startswith("text/html"):
            for target in re.findall(r'href="(?!data:)([^"#]*)"', self.body):
                yield "GET", unescape(target)
            for target in re.findall(r'action="([^"]*)"', self.body):
                yield "POST", unescape(target)
        elif "json" in self.headers["Content-Type"]:
            for target in re.findall(r'"ackUrl": "([^"]*)"', self.body):
                yield "GET", target
            document = self.json()
            if "openapi" in document:
                for server in document["servers"]:
                    base = urljoin(self.url, server["url"]).rstrip("/")
                    yield "GET", f"{base}/health/live"
                    yield "GET", f"{base}{CRM}/accounts"


class Caller:
    """Calls the API as someone does who sees it where it is mounted."""

    def __init__(self, mounting: Mounting) -> None:
        self.mounting = mounting
        self._events = LambdaEventConverter(RouteMatcher(list(app.app.routes)))

    def __call__(self, method: str, path: str, body: Any = None) -> Answer:
        return self.request(method, self.mounting.seen + path, body)

    def request(self, method: str, url: str, body: Any = None) -> Answer:
        assert url.startswith(f"{self.mounting.seen}/"), f"{url} leads out of the API"
        parts = urlsplit(url)
        path = parts.path.removeprefix(urlsplit(self.mounting.seen).path)
        raw = b"" if body is None else json.dumps(body).encode()
        event = self._events.create_lambda_event(method, f"{path}?{parts.query}", HEADERS, raw)
        event["requestContext"]["path"] = self.mounting.context + path
        if self.mounting.stage:
            event["requestContext"]["stage"] = self.mounting.stage
        answer = app.app(event, None)
        headers = {name: str(value) for name, value in answer["headers"].items()}
        return Answer(url, answer["statusCode"], headers, answer["body"])

    def follow(self, answer: Answer) -> list[Answer]:
        """Follow each link of `answer`, and what it leads to; return what they lead to."""
        assert 200 <= answer.status < 300, answer
        reached = []
        for method, reference in answer.links():
            if self.mounting.public_url and not answer.url.endswith("/docs"):
                assert reference.startswith(self.mounting.seen), reference
            following = self.request(method, urljoin(answer.url, reference))
            assert 200 <= following.status < 300, (reference, following)
            reached += [following, *self.follow(following)]
        return reached


@pytest.fixture(scope="module")
def set_up(
    emulator: Emulator, ssm: LocalSsm, alertmanager: Alertmanager
) -> Iterator[Callable[[Settings], Settings]]:
    """Return what adds a healer to settings."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        healer = autoheal_settings(emulator, ssm, alertmanager, monkeypatch)
        _fire(alertmanager)

        def add(settings: Settings) -> Settings:
            urls = {"url": settings.database.url, "relay_url": settings.database.relay_url}
            return healer.changed(database=urls, autoheal={"public_url": ""})

        yield add


def _fire(alertmanager: Alertmanager) -> None:
    labels = {"alertname": f"A{uuid4().hex[:8]}", "service": "crm:api/v1 ?&#"}
    alert = {"labels": labels, "startsAt": datetime.now(UTC).isoformat()}
    assert requests.post(f"{alertmanager.url}/api/v2/alerts", json=[alert], timeout=5).ok


@pytest.fixture(params=MOUNTINGS)
def caller(
    request: pytest.FixtureRequest,
    set_up: Callable[[Settings], Settings],
    database: Settings,
    composed: Compose,
) -> Caller:
    mounting = MOUNTINGS[request.param]
    composed(set_up(database).changed(http={"public_url": mounting.public_url}))
    return Caller(mounting)


def _period() -> dict[str, str]:
    now = datetime.now(UTC)
    return {"since": (now - timedelta(hours=1)).isoformat(), "until": now.isoformat()}


def test_every_link_of_every_answer_leads_somewhere(caller: Caller) -> None:
    for ending in ("", "/"):
        created = caller("POST", f"{CRM}/accounts{ending}", {"name": "Northwind"})
        [account] = caller.follow(created)
        assert account.json() == created.json()
        described = {"title": "Replace the meter", "accountId": account.json()["id"]}
        created = caller("POST", f"{CRM}/jobs{ending}", described)
        [job] = caller.follow(created)
        assert job.json() == created.json()
        replay = caller("POST", f"/api/outbox/replay{ending}", _period())
        [progress] = caller.follow(replay)
        assert progress.json()["id"] == replay.json()["id"]
    contact = caller("POST", f"{CRM}/contacts", {"name": "Ada", "email": f"{uuid4()}@example.test"})
    [read] = caller.follow(contact)
    assert read.json() == contact.json()
    assert len(caller.follow(caller("GET", "/openapi.json"))) == 2
    caller.follow(caller("GET", "/docs"))


def test_the_links_of_the_healer_lead_somewhere(caller: Caller) -> None:
    for mode in ("live", "dry_run") * 3:
        assert caller("PUT", "/autoheal/config", {"mode": mode}).status == 200
    pages = caller.follow(caller("GET", "/audit?format=csv&n=5&contains=mode"))
    assert pages
    reached = caller.follow(caller("GET", "/alerts"))
    assert [answer.status for answer in reached] == [200, 200]
    page, done = reached
    assert "Acknowledge this alert?" in page.body
    assert "Alert acknowledged" in done.body


def test_no_link_comes_from_the_header_host(caller: Caller) -> None:
    created = caller("POST", f"{CRM}/accounts", {"name": "Northwind"})
    for answer in (created, caller("GET", "/alerts"), caller("GET", "/openapi.json")):
        assert "evil.example.test" not in answer.body + str(answer.headers)


def test_messages_may_have_an_address_of_their_own(
    set_up: Callable[[Settings], Settings], database: Settings, composed: Compose
) -> None:
    settings = set_up(database)
    mounting = Mounting("https://crm.example.test/v1", "/v1")
    for own, public, expected in (
        ("https://chat.example.test/api/", mounting.seen, "https://chat.example.test/api/ack?"),
        ("", mounting.seen, "https://crm.example.test/v1/ack?"),
        ("https://chat.example.test/api", "", "https://chat.example.test/api/ack?"),
        ("", "", "ack?"),
    ):
        container = composed(
            settings.changed(autoheal={"public_url": own}, http={"public_url": public})
        )
        [alert] = Caller(mounting)("GET", "/alerts").json()["items"]
        assert alert["ackUrl"].startswith(expected)
        used = container.autoheal.dependencies.policy.public_url
        assert used == (own.rstrip("/") or public)


def test_the_policy_of_the_page_allows_its_form_where_links_are_absolute(
    set_up: Callable[[Settings], Settings], database: Settings, composed: Compose
) -> None:
    """The page may have been opened at another address of the API."""
    composed(set_up(database).changed(http={"public_url": "https://crm.example.test/v1"}))
    caller = Caller(Mounting("https://crm.example.test/v1", "/v1"))
    [alert] = caller("GET", "/alerts").json()["items"]
    page = caller.request("GET", alert["ackUrl"])
    policy = page.headers["Content-Security-Policy"]
    assert "form-action 'self' https://crm.example.test;" in policy
