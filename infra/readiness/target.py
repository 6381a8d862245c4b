"""The deployment that is asked: its API, what watches it, its data, its cloud."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import requests

from chalicelib.config import Settings
from chalicelib.config.reader import from_env
from chalicelib.security.identity import Role
from infra.local.identity import DEFAULT_TENANT
from infra.local.stack import STAGE, Stack

SECONDS = 10.0


@dataclass(frozen=True)
class Target:
    """Where to ask. `database` is PostgreSQL as its owner; empty addresses are not asked.

    `secrets` must not appear in a function's environment; `local` has
    neither managed backups nor a cloud that has them. With `live` the healer's mode has to
    be live.
    """

    api: str
    token: str = field(repr=False)
    prometheus: str
    alertmanager: str
    database: str = field(repr=False)
    settings: Settings = field(repr=False)
    aws: Callable[[str], Any] = field(repr=False)
    stage: str = STAGE
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    local: bool = False
    live: bool = False

    @classmethod
    def of_stack(cls, stack: Stack, *, live: bool = False) -> "Target":
        """Return the local stack, which is up."""
        environment = stack.environment()
        return cls(
            api=str(stack.status()["api"]),
            token=stack.issuer.token(Role.OPS, DEFAULT_TENANT),
            prometheus=stack.healing.prometheus.url,
            alertmanager=stack.healing.alertmanager.url,
            database=stack.postgres.database_url(),
            settings=from_env({**environment, "STAGE": STAGE}),
            aws=stack.emulator.client,
            secrets={name: environment[name] for name in stack.secret_settings()},
            local=True,
            live=live,
        )

    def ask(self, path: str, **query: str) -> requests.Response:
        """Return what the API answers to a GET. Raises `requests.RequestException`."""
        headers = {"Authorization": f"Bearer {self.token}"}
        return requests.get(
            f"{self.api.rstrip('/')}{path}",
            params=query,
            headers=headers,
            timeout=3 * SECONDS,
        )

    def get_json(self, base: str, path: str, **query: str) -> Any:
        """Return the JSON that Prometheus or Alertmanager at `base` answers.

        Raises:
            requests.RequestException: it does not answer, or refuses.
        """
        answer = requests.get(f"{base}{path}", params=query, timeout=SECONDS)
        answer.raise_for_status()
        return answer.json()

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Return the labels and the current value of each series of `expression`."""
        answer = self.get_json(self.prometheus, "/api/v1/query", query=expression)
        series = answer["data"]["result"]
        return [(sample["metric"], float(sample["value"][1])) for sample in series]
