"""The reference at /docs: what the door serves, and what a real browser makes of it."""

import json
import re
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from chalice.config import Config
from chalice.local import LocalDevServer
from chalice.test import Client

import app
from chalicelib.config import Settings
from chalicelib.entrypoints.about import ASSETS, POLICY
from infra.local.ports import free_port
from infra.paths import ROOT
from tests import chromium
from tests.conftest import Compose

MAX_ANSWER_BYTES = 6_000_000
DOCUMENT = json.loads((ROOT / "chalicelib" / "static" / "openapi.json").read_text())
OPERATIONS = sum(len(methods) for methods in DOCUMENT["paths"].values())


@pytest.fixture
def client(composed: Compose) -> Iterator[Client]:
    composed(Settings())
    with Client(app.app, stage_name="local") as client:
        yield client


@pytest.fixture
def server_url(composed: Compose) -> Iterator[str]:
    composed(Settings())
    port = free_port()
    server = LocalDevServer(app.app, Config(), "127.0.0.1", port, server_cls=ThreadingHTTPServer)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{port}"
    server.shutdown()


def test_the_page_may_load_and_call_only_the_deployment_that_serves_it(client: Client) -> None:
    page = client.http.get("/docs")
    assert page.status_code == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.headers["Content-Security-Policy"] == POLICY
    sources = {part.split(" ", 1)[0]: part.split(" ", 1)[1] for part in POLICY.split("; ")}
    assert sources["default-src"] == "'none'"
    assert set(sources.values()) <= {"'none'", "'self'", "'self' data:"}
    text = page.body.decode()
    assert "//" not in text
    assert not re.search(r"<style|style=|\son\w+=|<script>", text)


def test_every_file_that_the_page_names_is_served_with_its_type_and_may_be_cached(
    client: Client,
) -> None:
    text = client.http.get("/docs").body.decode()
    links = [link for link in re.findall(r'(?:src|href)="([^"]+)"', text) if link != "data:,"]
    assert all(not link.startswith("/") for link in links), "a stage would break it"
    assert {link for link in links if link.startswith("docs/")} == {
        f"docs/{name}" for name in ASSETS if name.endswith((".js", ".css"))
    }
    for name, media_type in ASSETS.items():
        answer = client.http.get(f"/docs/{name}")
        assert answer.status_code == 200, name
        assert answer.headers["Content-Type"] == media_type
        assert re.fullmatch(r"public, max-age=\d+", answer.headers["Cache-Control"])
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert 0 < len(answer.body) < MAX_ANSWER_BYTES


@pytest.mark.parametrize("name", ["vendor.json", "index.html", "..%2Fopenapi.json", "about.py"])
def test_nothing_else_of_the_folder_is_served(client: Client, name: str) -> None:
    answer = client.http.get(f"/docs/{name}")
    assert (answer.status_code, json.loads(answer.body)["code"]) == (404, "not-found")


def test_an_address_with_a_slash_at_its_end_leads_to_the_page(client: Client) -> None:
    answer = client.http.get("/docs/")
    assert (answer.status_code, answer.headers["Location"]) == (308, "../docs")


@pytest.mark.parametrize("color_scheme", [0, 1], ids=["dark", "light"])
def test_a_browser_renders_every_operation_and_reports_no_violation_of_the_policy(
    server_url: str, tmp_path: Path, color_scheme: int
) -> None:
    scheme = f"--blink-settings=preferredColorScheme={color_scheme}"
    page = chromium.load(f"{server_url}/docs", tmp_path, scheme)
    assert not [line for line in page.console if "Content Security Policy" in line]
    assert not [line for line in page.console if "Uncaught" in line]
    tags = re.findall(r'data-tag="([^"]+)"', page.html)
    assert tags == [tag["name"] for tag in DOCUMENT["tags"]]
    assert len(re.findall(r'class="opblock opblock-', page.html)) == OPERATIONS
    assert f'value="{server_url}"' in page.html, "requests go to another server"
    is_dark = re.search(r'<html[^>]*class="[^"]*dark-mode', page.html) is not None
    assert is_dark is (color_scheme == 0)


def test_an_operation_opens_by_its_link_with_its_roles_and_an_example(
    server_url: str, tmp_path: Path
) -> None:
    page = chromium.load(f"{server_url}/docs#/Accounts/create_account", tmp_path)
    opened = page.html.partition('id="operations-Accounts-create_account"')[2]
    opened = opened.partition('id="operations-')[0]
    assert "<code>admin</code> or <code>sales</code>" in opened
    assert "Northwind Energy" in opened
    assert "Execute" in opened
    assert "`" not in re.sub(r"<[^>]+>", "", opened)
