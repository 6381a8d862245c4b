"""Alertmanager on this machine, with the product's own configuration."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

import requests

from infra.aws.package import ROOT
from infra.local.debian import program
from infra.local.process import Process, refuse_foreign

PACKAGE = "prometheus-alertmanager"
NAME = "prometheus-alertmanager"
CONFIGURATION = ROOT / "infra" / "alertmanager"
START_SECONDS = 20.0
SETTING = "AETHERLINK_ALERTMANAGER_PORT"
LEFT_OUT = re.compile(r"\$\{[A-Z_]+\}")
SHARED = Path("/usr/share/prometheus")
DEFAULTS = "alertmanager/default.tmpl"
PRIVATE = (
    'mount -t tmpfs none /usr/share && mkdir "$1" && mount --bind "$2" "$1" && shift 2 && exec "$@"'
)
"""Debian's build reads its templates from an absolute path: what is unpacked is mounted there, for it alone."""


class Alertmanager:
    """One Alertmanager, alone, in memory and on loopback."""

    def __init__(self, home: Path, port: int, cache: Path) -> None:
        """Keep configuration, log and data in `home`."""
        self.home = home
        self.port = port
        self._cache = cache
        self.process = Process("alertmanager", home)

    @property
    def url(self) -> str:
        """Where it answers (`ALERTMANAGER_URL`)."""
        return f"http://127.0.0.1:{self.port}"

    def running(self) -> bool:
        """Tell whether it is ready."""
        return self.process.running() and self._ready()

    def start(self, values: Mapping[str, str]) -> bool:
        """Start it with the configuration filled in, or load a changed one; return whether there was anything to do.

        Raises:
            PartFailed: it does not start.
        """
        file = self.home / "alertmanager.yml"
        before = file.read_text() if file.exists() else ""
        configuration = write(self.home, values)
        if self.running():
            changed = configuration.read_text() != before
            if changed:
                self.reload()
            return changed
        self.process.kill()
        refuse_foreign("alertmanager", self.port, SETTING)
        binary = program(PACKAGE, NAME, self._cache)
        self.process.start(
            [
                *_with_its_templates(binary),
                f"--config.file={configuration}",
                f"--storage.path={self.home / 'data'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
                "--cluster.listen-address=",
            ],
            ready=self._ready,
            seconds=START_SECONDS,
            remedy="read the log and try again",
        )
        return True

    def reload(self) -> None:
        """Load the configuration again. Raises `requests.HTTPError` where it is not taken."""
        requests.post(f"{self.url}/-/reload", timeout=10).raise_for_status()

    def stop(self) -> None:
        """Stop it."""
        self.process.stop()

    def kill(self) -> None:
        """Crash it."""
        self.process.kill()

    def _ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/-/ready", timeout=2).ok
        except requests.RequestException:
            return False


def _with_its_templates(binary: Path) -> list[str]:
    """Return the command that starts `binary` with its templates where it looks for them."""
    unpacked = binary.parents[1] / "share" / "prometheus"
    if (SHARED / DEFAULTS).exists() or not (unpacked / DEFAULTS).exists():
        return [str(binary)]
    alone = (
        ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
    )
    return [*alone, "sh", "-c", PRIVATE, "sh", str(SHARED), str(unpacked), str(binary)]


def write(home: Path, values: Mapping[str, str]) -> Path:
    """Write the configuration with its `${NAMES}` replaced by `values`, its templates beside it; return where.

    Raises:
        ValueError: a name has no value.
    """
    home.mkdir(parents=True, exist_ok=True)
    for template in CONFIGURATION.glob("*.tmpl"):
        text = template.read_text()
        for name, value in values.items():
            text = text.replace(f"${{{name}}}", value)
        (home / template.name).write_text(text)
    text = (CONFIGURATION / "alertmanager.yml").read_text()
    for name, value in values.items():
        text = text.replace(f"${{{name}}}", value)
    missing = LEFT_OUT.findall(text)
    if missing:
        raise ValueError(f"no value for {', '.join(sorted(set(missing)))}")
    made = home / "alertmanager.yml"
    made.touch(mode=0o600)
    made.write_text(text)
    return made
