"""A JSON Web Key Set (RFC 7517): which of its keys may verify tokens, by id and algorithm.

A key with another purpose, a weak key, and keys that share an id are left out. One of them
does not keep the others from being used.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

import jwt

from chalicelib.adapters.oidc import strength

PUBLIC_MEMBERS: Final = {"RSA": ("kty", "n", "e"), "EC": ("kty", "crv", "x", "y")}
PRIVATE_MEMBER: Final = "d"
ALGORITHMS: Final = {("RSA", None): "RS256", ("EC", "P-256"): "ES256"}
"""The algorithm of a key by its type and curve. All other keys of a set are ignored."""

OPERATIONS: Final = ("verify", "sign")
MAX_KEYS: Final = 100
Keys = Mapping[str, Mapping[str, jwt.PyJWK]]
"""Key id -> algorithm -> key."""


def usable(published: Mapping[str, Any]) -> Keys:
    """Return the keys of a JSON Web Key Set that can verify signatures here.

    Raises:
        ValueError: there are none.
    """
    listed = published.get("keys")
    entries = listed if isinstance(listed, list) else []
    signing = [entry for entry in entries if isinstance(entry, dict) and _verifies(entry)]
    ambiguous = _ambiguous_ids(signing)
    keys: dict[str, dict[str, jwt.PyJWK]] = {}
    for members in signing[:MAX_KEYS]:
        key = None if members["kid"] in ambiguous else _usable_key(members)
        if key is not None:
            keys.setdefault(members["kid"], {})[key.algorithm_name] = key
    if not keys:
        raise ValueError("no usable key in the set")
    return keys


def _verifies(members: Mapping[str, Any]) -> bool:
    """Return whether a key has an id, and is stated to be for signatures or for anything."""
    operations = members.get("key_ops", ["verify"])
    return (
        isinstance(members.get("kid"), str)
        and members.get("use", "sig") == "sig"
        and isinstance(operations, list)
        and "verify" in operations
        and all(operation in OPERATIONS for operation in operations)
    )


def _ambiguous_ids(entries: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return the ids that different keys share: which of them signed a token is unclear."""
    material: dict[str, str] = {}
    ambiguous = set()
    for members in entries:
        text = _material(members)
        if material.setdefault(members["kid"], text) != text:
            ambiguous.add(members["kid"])
    return ambiguous


def _material(members: Mapping[str, Any]) -> str:
    """Return what distinguishes one key from another, as a text."""
    names = PUBLIC_MEMBERS.get(str(members.get("kty")), tuple(sorted(members)))
    return json.dumps([members.get(name) for name in names], sort_keys=True)


def _usable_key(members: Mapping[str, Any]) -> jwt.PyJWK | None:
    """Return the key with the public members of `members`; None where it must not be used."""
    kind = members.get("kty")
    curve = members.get("crv")
    algorithm = next((name for (k, c), name in ALGORITHMS.items() if (k, c) == (kind, curve)), None)
    if algorithm is None or members.get("alg", algorithm) != algorithm:
        return None
    if PRIVATE_MEMBER in members:
        return None  # anyone who read the set can sign with it
    public = {name: members.get(name) for name in PUBLIC_MEMBERS[str(kind)]}
    try:
        strength.check(public)
        return jwt.PyJWK(public, algorithm)
    except (jwt.PyJWTError, ValueError):  # the latter: a point that is not on the curve
        return None
