"""How a service of the local stack fails."""

from pathlib import Path

TAIL_LINES = 8


class ServiceFailed(Exception):
    """A service cannot do its work; the text names the service, its log and the remedy."""

    def __init__(self, service: str, reason: str, *, remedy: str, log: Path | None = None) -> None:
        """Compose the text, with the last lines of `log` where there is one."""
        lines = [f"{service}: {reason}"]
        if log and log.exists():
            tail = log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
            lines += [f"    | {line}" for line in tail]
            lines.append(f"  log:    {log}")
        lines.append(f"  remedy: {remedy}")
        super().__init__("\n".join(lines))
