"""Settings of the HTTP API."""

import re
from dataclasses import dataclass

from chalicelib.shared.setting import number, secret, setting, words

_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:\d{1,5})?")


_PUBLIC_URL = re.compile(
    r"https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?(/[A-Za-z0-9._~%!$&'()*+,;=:@/-]*)?"
)


def _origins(text: str) -> tuple[str, ...]:
    origins = words(text)
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise ValueError(
                f"{origin} is not an origin such as https://crm.example.com, without a path"
            )
    return origins


def _public_url(text: str) -> str:
    if text and not _PUBLIC_URL.fullmatch(text):
        raise ValueError(
            "expected an http or https address without user, query and fragment, "
            "such as https://crm.example.com/api"
        )
    return text.rstrip("/")


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """What the API accepts, and from where."""

    max_body_bytes: int = setting(
        "MAX_BODY_BYTES",
        1_000_000,
        "Largest request body accepted, in bytes.",
        number(int, 1_000, 6_000_000),
    )
    public_url: str = setting(
        "PUBLIC_URL",
        "",
        "Where callers reach this API, e.g. `https://crm.example.com/api`; every link starts "
        "with it. Empty: links are relative references.",
        _public_url,
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
