"""Reads the settings from the environment. The only module that does."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import Field, fields
from typing import Any

from chalicelib.autoheal import runbooks
from chalicelib.config import Settings
from chalicelib.security.secrets import Reference
from chalicelib.shared.errors import Misconfigured
from chalicelib.shared.setting import variable_for, variables_like, words


def declared(section: type[Any] = Settings, path: str = "") -> Iterator[tuple[str, Field[Any]]]:
    """Yield each declared setting with its path in `Settings`, e.g. `database.url`, in order."""
    for entry in fields(section):
        if "env" in entry.metadata or "env_by_alert" in entry.metadata:
            yield path + entry.name, entry
        elif section is Settings:
            yield from declared(_section_of(entry), f"{entry.name}.")


def from_env(env: Mapping[str, str] | None = None) -> Settings:
    """Read every setting from `env` (the process environment by default).

    Raises:
        Misconfigured: names each variable that cannot be read and what it may be.
    """
    source = os.environ if env is None else env
    problems: list[str] = []
    settings = Settings(**_read(Settings, source, problems))
    if problems:
        raise Misconfigured("These settings are not valid: " + "; ".join(problems))
    _check(settings)
    refuse_plain_secrets(source, settings.stage)
    return settings


def refuse_plain_secrets(env: Mapping[str, str], stage: str) -> None:
    """Refuse secrets in the environment of a deployed stage.

    Everyone who may see the function's configuration would see them.

    Raises:
        Misconfigured: names each variable that has to be a reference.
    """
    if stage == "local":
        return
    variables = [entry.metadata["env"] for _, entry in declared() if entry.metadata.get("secret")]
    plain = [
        name
        for name in variables
        if any(not Reference.parse(text) for text in words(env.get(name, "")))
    ]
    if plain:
        raise Misconfigured(
            f"{', '.join(plain)}: a secret in plain text on stage {stage}. Keep it in Secrets "
            "Manager or in SSM as a SecureString, and set "
            f"{plain[0]}=secretsmanager:<name>[#<key>] or {plain[0]}=ssm:<name>."
        )


def _section_of(entry: Field[Any]) -> type[Any]:
    section: Any = entry.default_factory
    return section  # type: ignore[no-any-return]


def _read(section: type[Any], env: Mapping[str, str], problems: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for entry in fields(section):
        if "env" in entry.metadata:
            name = entry.metadata["env"]
            if name in env:
                _parse(values, entry.name, entry, name, env[name], problems)
        elif "env_by_alert" in entry.metadata:
            values[entry.name] = _read_by_alert(entry, env, problems)
        elif section is Settings:
            inner = _section_of(entry)
            values[entry.name] = inner(**_read(inner, env, problems))
    return values


def _parse(
    values: dict[str, Any],
    key: str,
    entry: Field[Any],
    variable: str,
    text: str,
    problems: list[str],
) -> None:
    try:
        values[key] = entry.metadata["parse"](text)
    except ValueError as problem:
        secret = entry.metadata.get("secret")
        shown = f"{variable}: (a secret, not shown)" if secret else f"{variable}={text!r}"
        problems.append(shown if secret else f"{shown}: {problem}")


def _read_by_alert(
    entry: Field[Any], env: Mapping[str, str], problems: list[str]
) -> dict[str, Any]:
    pattern = entry.metadata["env_by_alert"]
    stated = [name for name in variables_like(pattern, env) if env[name].strip()]
    values: dict[str, Any] = {}
    if not stated:
        return values
    alerts = {variable_for(pattern, alertname): alertname for alertname in runbooks.load()}
    for variable in stated:
        if variable in alerts:
            _parse(values, alerts[variable], entry, variable, env[variable], problems)
        else:
            problems.append(f"{variable}: no runbook has this alert")
    return values


def _check(settings: Settings) -> None:
    """Refuse combinations of settings that cannot work together."""
    if problem := settings.oidc.problem(settings.stage):
        raise Misconfigured(problem)
    if not settings.http.cursor_secret and settings.stage != "local":
        raise Misconfigured(
            f"CURSOR_SECRET is empty on stage {settings.stage}. "
            "Set it to a reference to a secret of 32 random characters."
        )
    if settings.tenant_rate.per_second and not settings.idempotency.table:
        raise Misconfigured(
            "TENANT_RATE_PER_SECOND counts in the table that IDEMPOTENCY_TABLE names. Set it, too."
        )
    autoheal = settings.autoheal
    if settings.stage == "prod" and autoheal.chaos_failure_rate and not autoheal.chaos_until:
        raise Misconfigured(
            "AUTOHEAL_CHAOS_FAILURE_RATE has no end on stage prod. Set AUTOHEAL_CHAOS_UNTIL."
        )
