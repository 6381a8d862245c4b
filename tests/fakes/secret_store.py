"""One fake for each port. They pass the same contract suites as the real adapters."""

from chalicelib.security.secrets import Reference
from chalicelib.shared.errors import AetherLinkError, Misconfigured


class FakeSecrets:
    """A `SecretStore` in memory; `problem` is raised instead of answering."""

    def __init__(self) -> None:
        self.kept: dict[str, list[str]] = {}
        self.problem: AetherLinkError | None = None
        self.fetched = 0
        self.overlapping = True

    def later(self, seconds: float) -> None:
        self.overlapping = False

    def put(self, name: str, text: str) -> None:
        self.kept.setdefault(name, []).insert(0, text)

    def fetch(self, reference: Reference, *, overlapping: bool) -> tuple[str, ...]:
        self.fetched += 1
        if self.problem:
            raise self.problem
        if reference.name not in self.kept:
            raise Misconfigured(f"{reference} cannot be read: there is none.")
        texts = self.kept[reference.name][: 2 if overlapping and self.overlapping else 1]
        return tuple(value for text in texts for value in reference.values(text))
