"""Primes of Diffie-Hellman: which well-known one it is, and what can be said of any other.

Primality is Miller and Rabin's test with bases that follow from the number, so the same prime always gives the same
answer. Must not import anything of tlswire but ``registry``.
"""

from __future__ import annotations

import hashlib
from itertools import islice
from typing import TYPE_CHECKING, Literal

from tlswire.registry import DH_PRIMES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.registry import DhPrimeRow

# safe: (p-1)/2 is prime, too. subgroup: a published prime with a subgroup of known prime order. not-safe: no more is
# known of its subgroups. unchecked: longer than MAX_BITS.
Structure = Literal["safe", "subgroup", "not-safe", "composite", "unchecked"]

# One round with 8192 bits takes a second; nobody configures more.
MAX_BITS = 8192
# Rounds by bits. A random composite of 512 bits or more passes with a probability below 2^-100 (the bounds of Damgard,
# Landrock and Pomerance, 1993); who builds a composite that passes fools nobody but his own clients.
_ROUNDS = ((1024, 8), (2048, 4), (MAX_BITS, 2))
_SMALL = tuple(n for n in range(3, 2000, 2) if all(n % d for d in range(3, int(n**0.5) + 1, 2)))


def known_prime(prime: int) -> DhPrimeRow | None:
    """The row of a well-known prime; None for any other number."""
    size = (prime.bit_length() + 7) // 8
    code = int.from_bytes(hashlib.sha256(prime.to_bytes(size, "big")).digest(), "big")
    row = DH_PRIMES[code]
    return row if row.bits else None


def structure(prime: int) -> Structure:
    """What kind of number it is; up to some seconds of work for one that is not well known."""
    known = known_prime(prime)
    if known is not None:
        return "safe" if known.safe else "subgroup"
    if prime.bit_length() > MAX_BITS:
        return "unchecked"
    if not is_prime(prime):
        return "composite"
    return "safe" if is_prime(prime >> 1) else "not-safe"


def is_prime(number: int) -> bool:
    """Whether a number of at most ``MAX_BITS`` is prime, as far as Miller and Rabin's test can tell."""
    if number < 3 or not number & 1:
        return number == 2
    for divisor in _SMALL:
        if number % divisor == 0:
            return number == divisor
    twos = ((number - 1) & (1 - number)).bit_length() - 1
    rounds = next(count for bits, count in _ROUNDS if number.bit_length() <= bits)
    return not any(_witness(number, twos, base) for base in islice(_bases(number), rounds))


def _witness(number: int, twos: int, base: int) -> bool:
    """Whether ``base`` proves that the number is composite."""
    power = pow(base, number >> twos, number)
    if power in {1, number - 1}:
        return False
    for _ in range(twos - 1):
        power = power * power % number
        if power == number - 1:
            return False
    return True


def _bases(number: int) -> Iterator[int]:
    """Bases between 2 and number-2, drawn from the number's own digest."""
    size = number.bit_length() // 8 + 8
    seed = number.to_bytes(size, "big")
    while True:
        seed = hashlib.shake_256(seed).digest(size)
        yield 2 + int.from_bytes(seed, "big") % (number - 3)
