"""The identity of a request: the `Idempotency-Key` header and a hash of what is asked for.

Source: the IETF draft "The Idempotency-Key HTTP Header Field".
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from chalicelib.shared.errors import FieldError, Invalid

HEADER = re.compile(r'"([\x20-\x21\x23-\x5b\x5d-\x7e]{1,255})"|([\x21\x23-\x7e]{1,255})')
HASHED_HEADERS = ("content-type", "if-match", "if-none-match")
"""The headers that decide what a request does, beside the body."""
KEPT_SECONDS = 24 * 3_600
"""How long an answer is kept and given again."""


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """What identifies a request.

    Attributes:
        tenant_id: the caller's tenant.
        endpoint: the method and the route.
        key: the caller's key.
        request_hash: a hash of what is asked for; one key must not serve two requests.
    """

    tenant_id: UUID
    endpoint: str
    key: str
    request_hash: str

    @property
    def key_hash(self) -> str:
        """Return the hexadecimal SHA-256 of the key, which is stored in its place."""
        return hashlib.sha256(self.key.encode()).hexdigest()

    @property
    def partition_key(self) -> str:
        """Return the key of the record in the lease store."""
        return f"{self.tenant_id}#{self.key_hash}#{self.endpoint}"


def parse_key(header: str) -> str:
    """Return the key in the header: bare, or a quoted string as in the IETF draft.

    Raises:
        errors.Invalid: the header is neither.
    """
    match = HEADER.fullmatch(header.strip())
    if match is None:
        reason = "must be 1 to 255 visible ASCII characters, with or without double quotes"
        raise Invalid(
            f"Idempotency-Key {reason}.",
            code="bad-idempotency-key",
            errors=[FieldError("Idempotency-Key", reason)],
        )
    return match.group(1) or match.group(2)


def hash_request(
    method: str,
    path: str,
    query: Mapping[str, Sequence[str]],
    headers: Mapping[str, str],
    body: bytes,
) -> str:
    """Return the hexadecimal SHA-256 of what a request asks for.

    Every part is hashed with its length, so that no two requests have the same text.

    Args:
        method: the method of the request.
        path: the whole path.
        query: every value of each query parameter, in the order of the request.
        headers: the request's headers, with names in lower case; only `HASHED_HEADERS` count.
        body: the body as it was sent.
    """
    digest = hashlib.sha256()
    for text in (method, path):
        _add(digest, text)
    for name, values in sorted(query.items()):
        _add(digest, name)
        digest.update(f"{len(values)} values;".encode())
        for value in values:
            _add(digest, value)
    for name in HASHED_HEADERS:
        present = name in headers
        digest.update(f"{name} {present};".encode())
        _add(digest, headers.get(name, ""))
    _add(digest, body)
    return digest.hexdigest()


def _add(digest: "hashlib._Hash", part: str | bytes) -> None:
    content = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
    digest.update(f"{len(content)}:".encode())
    digest.update(content)
