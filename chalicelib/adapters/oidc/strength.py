"""Whether a public key is strong enough to trust a signature that it verifies.

Sources: NIST FIPS 186-5, appendix A.1.1 (RSA), RFC 7518, sections 6.2.1 and 6.3.1 (encoding).
"""

import math
import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

MIN_RSA_BITS: Final = 2_048
MAX_RSA_BITS: Final = 16_384
MIN_EXPONENT: Final = 65_537
MAX_EXPONENT_BITS: Final = 256
SMALL_FACTOR: Final = 65_536
"""Moduli with a prime factor below this are refused."""

CLOSE_PRIMES_ROUNDS: Final = 100
"""How many rounds of Fermat's factorization a modulus has to withstand."""

COORDINATE_BYTES: Final = 32
BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]+")


def check(members: Mapping[str, Any]) -> None:
    """Check the public members of an RSA key, or of an EC key on P-256.

    Whether an EC point is on its curve is left to the library that makes the key.

    Raises:
        ValueError: the key is weak, or its members are not encoded as RFC 7518 requires.
    """
    if members["kty"] == "RSA":
        _check_rsa(modulus=_number(members["n"]), exponent=_number(members["e"]))
    elif any(len(_octets(members[name])) != COORDINATE_BYTES for name in ("x", "y")):
        raise ValueError(f"a coordinate does not have {COORDINATE_BYTES} bytes")


def _check_rsa(*, modulus: int, exponent: int) -> None:
    if not MIN_RSA_BITS <= modulus.bit_length() <= MAX_RSA_BITS:
        raise ValueError(f"the modulus has {modulus.bit_length()} bits")
    if exponent < MIN_EXPONENT or exponent % 2 == 0 or exponent.bit_length() > MAX_EXPONENT_BITS:
        raise ValueError(f"the exponent must be odd and at least {MIN_EXPONENT}")
    if math.gcd(modulus, _small_primes_product()) != 1:
        raise ValueError("the modulus has a small factor")
    if _has_close_factors(modulus):
        raise ValueError("the factors of the modulus are too close to each other")


@cache
def _small_primes_product() -> int:
    sieve = bytearray([1]) * SMALL_FACTOR
    for number in range(2, math.isqrt(SMALL_FACTOR) + 1):
        if sieve[number]:
            sieve[number * number :: number] = bytes(len(sieve[number * number :: number]))
    return math.prod(number for number in range(2, SMALL_FACTOR) if sieve[number])


def _has_close_factors(modulus: int) -> bool:
    """Return whether Fermat's factorization of an odd `modulus` succeeds within some rounds."""
    start = math.isqrt(modulus - 1) + 1
    for middle in range(start, start + CLOSE_PRIMES_ROUNDS):
        difference = middle * middle - modulus
        if math.isqrt(difference) ** 2 == difference:
            return True
    return False


def _number(text: Any) -> int:
    octets = _octets(text)
    if octets[0] == 0:
        raise ValueError("a number has leading zeros")
    return int.from_bytes(octets, "big")


def _octets(text: Any) -> bytes:
    if not isinstance(text, str) or not BASE64URL.fullmatch(text):
        raise ValueError("a member is not base64url without padding")
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
