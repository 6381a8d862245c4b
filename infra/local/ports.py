"""Which loopback ports the local stack uses, and whether they are free."""

import os
import socket
from contextlib import suppress
from dataclasses import dataclass, fields

from infra.local.errors import ServiceFailed

LOOPBACK = "127.0.0.1"
PROBE_SECONDS = 1.0
MAX_PORT = 65_534
"""One below the highest there is: Kafka and the demo services take the next port too."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where each service listens, on loopback.

    Kafka's controller and the second demo service take the next port.
    """

    postgres: int = 54329
    kafka: int = 19092
    services: int = 18081
    ssm: int = 4567
    emulator: int = 4566
    issuer: int = 9400
    alertmanager: int = 19094
    pushgateway: int = 19091
    blackbox: int = 19115
    prometheus: int = 19090

    @classmethod
    def from_env(cls) -> "Ports":
        """Return AETHERLINK_POSTGRES_PORT and its like, one for each service, or the defaults.

        Raises:
            ServiceFailed: a setting is not a port.
        """
        return cls(**{field.name: _from_env(field.name) for field in fields(cls)})

    @classmethod
    def free(cls) -> "Ports":
        """Return ports that nothing uses at the moment."""
        return cls(**{field.name: free_port() for field in fields(cls)})


SERVICES = tuple(field.name for field in fields(Ports))
"""The services by name, in the order in which they start."""


def _from_env(service: str) -> int:
    setting = port_setting(service)
    text = os.environ.get(setting) or str(getattr(Ports(), service))
    if not (text.isdecimal() and 0 < int(text) <= MAX_PORT):
        raise ServiceFailed(
            service,
            f"{setting}={text} is not a valid port",
            remedy=f"set it to a number from 1 to {MAX_PORT}",
        )
    return int(text)


def port_setting(service: str) -> str:
    """Return the name of the setting that moves `service` to another port."""
    return f"AETHERLINK_{service.upper()}_PORT"


def listening(port: int, host: str = LOOPBACK) -> bool:
    """Return whether something accepts connections on `port`."""
    with socket.socket() as probe:
        probe.settimeout(PROBE_SECONDS)
        return probe.connect_ex((host, port)) == 0


def free_port() -> int:
    """Return a port that nothing uses now, whose next one is free too (Kafka takes a pair)."""
    while True:
        with socket.socket() as probe, socket.socket() as following:
            probe.bind((LOOPBACK, 0))
            port = int(probe.getsockname()[1])
            with suppress(OSError, OverflowError):
                following.bind((LOOPBACK, port + 1))
                return port


def require_free(service: str, port: int, setting: str) -> None:
    """Raise `ServiceFailed` where `port` cannot be used; `setting` is what moves us."""
    reason = "is taken by another program" if listening(port) else _refusal(port)
    if reason:
        raise ServiceFailed(
            service,
            f"port {port} {reason}",
            remedy=f"stop what uses it, or choose another port with {setting}",
        )


def _refusal(port: int) -> str:
    """Return why nothing can listen on `port`, or an empty text."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except PermissionError:
            return "is open to the superuser alone"
        except OSError:
            return "is taken by another program"
    return ""
