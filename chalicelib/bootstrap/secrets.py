"""Secrets: the setting's own text on stage local, else what it refers to in the secret store."""

from functools import cached_property, partial
from typing import TYPE_CHECKING

from chalicelib.config.reader import declared
from chalicelib.security.secrets import Reference, Secret, SecretStore, plain
from chalicelib.shared.errors import AetherLinkError
from chalicelib.telemetry import logs, names

if TYPE_CHECKING:
    from chalicelib.bootstrap.container import Container


class SecretServices:
    """One `Secret` for each text of each secret setting."""

    def __init__(self, container: "Container") -> None:
        """Fetch nothing yet."""
        self._container = container
        self._secrets: dict[str, list[Secret]] = {}

    def secret(self, path: str) -> Secret:
        """Return the secret that the setting at `path`, e.g. `database.url`, holds or refers to."""
        return self._all(path)[0]

    def accepted(self, path: str) -> tuple[str, ...]:
        """Return every value accepted for the secret at `path`, the one to use first.

        Empty where the setting is empty.
        """
        if not self._texts(path)[0]:
            return ()
        return tuple(value for secret in self._all(path) for value in secret.accepted())

    @cached_property
    def store(self) -> SecretStore:
        """The secret store."""
        from chalicelib.adapters import secret_store

        settings = self._container.settings.secrets
        connect = partial(secret_store.client, timeout_seconds=settings.timeout_seconds)
        return secret_store.AwsSecretStore(
            connect, self._container.clock, overlap_seconds=settings.overlap_seconds
        )

    def _texts(self, path: str) -> tuple[str, ...]:
        section, _, name = path.partition(".")
        value = getattr(getattr(self._container.settings, section), name)
        return (value,) if isinstance(value, str) else value or ("",)

    def _all(self, path: str) -> list[Secret]:
        if path not in self._secrets:
            metadata = dict(declared())[path].metadata
            overlapping = bool(metadata["overlapping"])
            self._secrets[path] = [
                self._create(metadata["env"], text, overlapping) for text in self._texts(path)
            ]
        return self._secrets[path]

    def _create(self, variable: str, text: str, overlapping: bool) -> Secret:
        reference = Reference.parse(text)
        if reference is None:
            return plain(text, variable)

        def warn(problem: AetherLinkError) -> None:
            logs.warning(
                names.CREDENTIAL_STALE,
                setting=variable,
                code=problem.code,
                cause=problem.cause,
            )

        return Secret(
            lambda: self.store.fetch(reference, overlapping=overlapping),
            self._container.clock,
            refresh_seconds=self._container.settings.secrets.refresh_seconds,
            on_error=warn,
        )
