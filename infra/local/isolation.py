"""What the caller's environment must not decide for us: the stack is on this machine, whatever the shell points at."""

import os

LOOPBACK = "127.0.0.1,localhost"
ELSEWHERE = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_ENDPOINT_URL",
    "LOCALSTACK_HOST",
    "DATABASE_URL",
)
"""They would win over what the stack says: somebody's account, another emulator, another database."""


def isolate() -> None:
    """Keep this process and those it starts on the stack: drop leading variables, go past any HTTP proxy.

    Per-service endpoints (`AWS_ENDPOINT_URL_SSM` and friends) go too.
    """
    for name in [
        one for one in os.environ if one in ELSEWHERE or one.startswith("AWS_ENDPOINT_URL_")
    ]:
        del os.environ[name]
    os.environ["AWS_EC2_METADATA_DISABLED"] = (
        "true"  # no credentials are asked of a machine that is not there
    )
    for name in ("NO_PROXY", "no_proxy"):
        kept = os.environ.get(name, "")
        if LOOPBACK not in kept:
            os.environ[name] = f"{LOOPBACK},{kept}".rstrip(",")
