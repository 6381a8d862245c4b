"""Doing a request once, however often it is sent with the same `Idempotency-Key`.

Two stores that cannot commit together share the work. The lease store (DynamoDB) says
quickly who is first and replays finished answers in one call; its leases are fenced by an
owner token, so a late owner changes nothing of a newer one's. The ledger (PostgreSQL) holds
the answer under a unique key in the business transaction itself, so that whatever happens
to the lease, the business happens once. Sources: the IETF draft on the Idempotency-Key
header, and docs/decisions/0003-idempotency.md.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from chalicelib.shared.errors import FieldError, Invalid

KEY = re.compile(r'"([\x20-\x21\x23-\x5b\x5d-\x7e]{1,255})"|([\x21\x23-\x7e]{1,255})')


KEPT_SECONDS = 24 * 3_600


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """What makes two requests the same: tenant, endpoint (method and route) and key; and what they ask for, hashed."""

    tenant_id: UUID
    endpoint: str
    key: str
    request_hash: str

    @property
    def key_hash(self) -> str:
        """Return the key's SHA-256, hexadecimal: what is stored of it."""
        return hashlib.sha256(self.key.encode()).hexdigest()

    @property
    def partition_key(self) -> str:
        """Return the lease store's key."""
        return f"{self.tenant_id}#{self.key_hash}#{self.endpoint}"


def parse_key(header: str) -> str:
    """Return the key that the header holds, bare or as the quoted string of the IETF draft.

    Raises:
        errors.Invalid: it is neither.
    """
    match = KEY.fullmatch(header.strip())
    if match is None:
        reason = "must be 1 to 255 visible ASCII characters, with or without double quotes"
        raise Invalid(
            f"Idempotency-Key {reason}.",
            code="bad-idempotency-key",
            errors=[FieldError("Idempotency-Key", reason)],
        )
    return match.group(1) or match.group(2)


def hash_request(path: str, query: Mapping[str, str], body: bytes) -> str:
    """Return what tells two requests under one key apart."""
    digest = hashlib.sha256()
    for part in (path, *(f"{name}={value}" for name, value in sorted(query.items()))):
        digest.update(part.encode() + b"\n")
    digest.update(b"\n" + body)
    return digest.hexdigest()
