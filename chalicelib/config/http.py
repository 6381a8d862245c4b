"""Settings of the HTTP API."""

import re
from dataclasses import dataclass

from chalicelib.shared.setting import number, secret, setting, words

_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:\d{1,5})?")


def _origins(text: str) -> tuple[str, ...]:
    origins = words(text)
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise ValueError(
                f"{origin} is not an origin such as https://crm.example.com, without a path"
            )
    return origins


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """What the API accepts, and from where."""

    max_body_bytes: int = setting(
        "MAX_BODY_BYTES",
        1_000_000,
        "Largest request body accepted, in bytes.",
        number(int, 1_000, 6_000_000),
    )
    cors_allowed_origins: tuple[str, ...] = setting(
        "CORS_ALLOWED_ORIGINS",
        (),
        "Origins whose pages may call the API, separated by commas; empty: none.",
        _origins,
    )
    cursor_secret: str = secret(
        "CURSOR_SECRET",
        "Signs the cursors of lists; the same for all functions. Required except on stage local.",
        overlapping=True,
    )
