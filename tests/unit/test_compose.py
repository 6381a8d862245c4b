import shutil
import subprocess

import pytest
import yaml

from infra.compose import DIFFERENCES, FILE, unavailable
from infra.local.ports import Ports
from infra.paths import ROOT

COMPOSE = yaml.safe_load(FILE.read_text())
SERVICES = {
    "postgres",
    "kafka",
    "localstack",
    "prometheus",
    "alertmanager",
    "pushgateway",
    "blackbox",
    "grafana",
}


def test_every_service_is_pinned_checked_for_health_and_on_loopback() -> None:
    assert set(COMPOSE["services"]) == SERVICES
    for name, service in COMPOSE["services"].items():
        tag = service["image"].rpartition(":")[2]
        assert any(character.isdigit() for character in tag), f"{name}: pin the image"
        assert service["healthcheck"]["test"], name
        assert all(port.startswith("127.0.0.1:") for port in service["ports"]), name


def test_localstack_is_the_last_version_that_starts_without_a_token() -> None:
    assert COMPOSE["services"]["localstack"]["image"] == "localstack/localstack:4.14.0"


def test_the_services_listen_where_the_local_stack_does() -> None:
    ports = Ports()
    for name, port in (
        ("postgres", ports.postgres),
        ("kafka", ports.kafka),
        ("localstack", ports.emulator),
        ("prometheus", ports.prometheus),
        ("alertmanager", ports.alertmanager),
        ("pushgateway", ports.pushgateway),
        ("blackbox", ports.blackbox),
    ):
        assert f":-{port}}}" in COMPOSE["services"][name]["ports"][0]


def test_the_file_and_the_command_say_what_differs_from_the_local_stack() -> None:
    head = FILE.read_text().partition("name:")[0]
    for subject in ("Kafka", "OIDC", "demo services", "Grafana", "Ports"):
        assert subject in head
    for subject in ("X-Tenant-Id", "demo services", "Grafana"):
        assert subject in DIFFERENCES


def test_every_mounted_file_exists() -> None:
    for service in COMPOSE["services"].values():
        for volume in service.get("volumes", []):
            if volume.startswith("./"):
                assert (ROOT / volume.split(":")[0]).is_dir(), volume


def test_docker_compose_accepts_the_file() -> None:
    version = ["docker", "compose", "version"]
    if not shutil.which("docker") or subprocess.run(version, capture_output=True).returncode:
        pytest.skip("docker compose is not installed")
    checked = subprocess.run(
        ["docker", "compose", "-f", FILE, "config", "--quiet"],
        capture_output=True,
        text=True,
    )
    assert (checked.returncode, checked.stderr) == (0, "")


def test_without_docker_the_reason_is_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert "Docker" in unavailable()
