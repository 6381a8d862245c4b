"""A secret store in memory. It passes the contract suite of the real one."""

from chalicelib.security.secrets import Reference
from chalicelib.shared.errors import AetherLinkError, Misconfigured


class FakeSecrets:
    """A `SecretStore` in memory. While `problem` is set, `fetch` raises it."""

    def __init__(self) -> None:
        self.values: dict[str, list[str]] = {}
        self.problem: AetherLinkError | None = None
        self.fetched = 0
        self.overlapping = True

    def later(self, seconds: float) -> None:
        self.overlapping = False

    def put(self, name: str, text: str) -> None:
        self.values.setdefault(name, []).insert(0, text)

    def fetch(self, reference: Reference, *, overlapping: bool) -> tuple[str, ...]:
        self.fetched += 1
        if self.problem:
            raise self.problem
        if reference.name not in self.values:
            raise Misconfigured(f"{reference} does not exist.")
        texts = self.values[reference.name][: 2 if overlapping and self.overlapping else 1]
        return tuple(value for text in texts for value in reference.values(text))
