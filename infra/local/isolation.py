"""Keeps the local stack on this machine, whatever the caller's environment points at."""

import os

LOOPBACK = "127.0.0.1,localhost"
MISLEADING = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_ENDPOINT_URL",
    "LOCALSTACK_HOST",
    "DATABASE_URL",
)
"""They would win over the stack's settings: another account, emulator or database."""
PER_SERVICE = "AWS_ENDPOINT_URL_"


def isolate() -> None:
    """Keep this process and those it starts on the stack.

    Drops misleading variables, among them per-service endpoints (`AWS_ENDPOINT_URL_SSM` and the
    like), and lets connections to loopback bypass any HTTP proxy.
    """
    for name in list(os.environ):
        if name in MISLEADING or name.startswith(PER_SERVICE):
            del os.environ[name]
    # otherwise credentials are requested from an address that does not answer here
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    for name in ("NO_PROXY", "no_proxy"):
        exceptions = os.environ.get(name, "")
        if LOOPBACK not in exceptions:
            os.environ[name] = f"{LOOPBACK},{exceptions}".rstrip(",")
