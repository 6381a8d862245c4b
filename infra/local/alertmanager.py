"""Alertmanager on this machine, with the product's own configuration."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from infra.local.service import Service, ServiceSpec
from infra.paths import ROOT

CONFIGURATION = ROOT / "infra" / "alertmanager"
RELOAD_SECONDS = 10
PLACEHOLDER = re.compile(r"\$\{[A-Z_]+\}")
SHARED = Path("/usr/share/prometheus")
DEFAULTS = "alertmanager/default.tmpl"
WITH_TEMPLATES = (
    'mount -t tmpfs none /usr/share && mkdir "$1" && mount --bind "$2" "$1" && shift 2 && exec "$@"'
)
"""Debian's build reads its templates from an absolute path. What was unpacked elsewhere is mounted
there, visible to this process alone."""


class Alertmanager(Service):
    """One Alertmanager without peers; its `url` is `ALERTMANAGER_URL`."""

    spec = ServiceSpec(
        name="alertmanager",
        label="Alertmanager",
        health_path="/-/ready",
        package="prometheus-alertmanager",
        program="prometheus-alertmanager",
    )

    @property
    def configuration(self) -> Path:
        """The configuration that it runs with."""
        return self.home / "alertmanager.yml"

    def start(self, values: Mapping[str, str] | None = None) -> bool:
        """Start it, or load a changed configuration; return whether there was anything to do.

        Args:
            values: fills in the `${NAMES}` of the configuration; None keeps the one written last.

        Raises:
            ServiceFailed: it does not start.
        """
        file = self.configuration
        before = file.read_text() if file.exists() else ""
        if values is not None:
            write(self.home, values)
        if super().start():
            return True
        changed = file.read_text() != before
        if changed:
            self.reload()
        return changed

    def reload(self) -> None:
        """Load the configuration again. Raises `requests.HTTPError` where it is refused."""
        import requests  # slow to import

        requests.post(f"{self.url}/-/reload", timeout=RELOAD_SECONDS).raise_for_status()

    def command(self) -> Sequence[str]:
        """Return the command; its data is in `home`."""
        return [
            *_with_templates(Path(self.program())),
            f"--config.file={self.configuration}",
            f"--storage.path={self.home / 'data'}",
            f"--web.listen-address={self.address}",
            "--cluster.listen-address=",
        ]


def _with_templates(binary: Path) -> list[str]:
    """Return the command that starts `binary` with its templates at the path it reads them from."""
    unpacked = binary.parents[1] / "share" / "prometheus"
    if (SHARED / DEFAULTS).exists() or not (unpacked / DEFAULTS).exists():
        return [str(binary)]
    namespace = ["unshare", "--mount"]
    if os.geteuid() != 0:
        namespace.append("--map-root-user")
    return [*namespace, "sh", "-c", WITH_TEMPLATES, "sh", str(SHARED), str(unpacked), str(binary)]


def write(home: Path, values: Mapping[str, str]) -> Path:
    """Write configuration and templates to `home`, `${NAMES}` replaced; return the configuration.

    Raises:
        ValueError: a name has no value.
    """
    home.mkdir(parents=True, exist_ok=True)
    for template in CONFIGURATION.glob("*.tmpl"):
        (home / template.name).write_text(_filled_in(template.read_text(), values))
    text = _filled_in((CONFIGURATION / "alertmanager.yml").read_text(), values)
    missing = PLACEHOLDER.findall(text)
    if missing:
        raise ValueError(f"no value for {', '.join(sorted(set(missing)))}")
    file = home / "alertmanager.yml"
    file.touch(mode=0o600)
    file.write_text(text)
    return file


def _filled_in(text: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(f"${{{name}}}", value)
    return text
