"""The server's half of a key exchange below TLS 1.3: parameters to send, and the premaster secret of a client's answer.

Real where there are keys for it (ECDHE and DHE, signed or anonymous, and RSA), else what merely looks like it.
Sources: RFC 5246 sections 7.4.3 and 7.4.7, RFC 8422 section 5, RFC 5054 section 2.5, RFC 6101 section 5.6.7.
Must not import anything of tlswire but ``registry``, ``wire``, ``crypto``, ``lab.keys``, ``lab.flaws``,
``lab.characters`` and ``lab.negotiation``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from tlswire.crypto.shares import dh_private, private_share, supported
from tlswire.lab import flaws, keys
from tlswire.lab.characters import SSLV3, Character
from tlswire.lab.negotiation import signs
from tlswire.registry import GROUPS, SUITES
from tlswire.wire.messages import DheParams, EcdheParams, EcParameters, RsaParams, SrpParams
from tlswire.wire.primitives import Opaque, parse

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tlswire.lab.negotiation import Choice

_GENERATOR = b"\x02"
_NAMED_CURVE = 3
_PREMASTER = 48


class Exchange(msgspec.Struct, frozen=True):
    """``params`` of the ServerKeyExchange (None: it has none), and what makes a premaster secret of the body of a
    ClientKeyExchange (None: nobody can); it raises WireError.
    """

    params: Any = None
    premaster: Callable[[bytes], bytes] | None = None


def key_exchange(character: Character, choice: Choice, offered: int, rng: Random) -> Exchange:
    """The exchange of a choice; ``offered`` is the client's legacy_version, which RSA premasters begin with."""
    row = SUITES[choice.suite]
    if row.kex == "RSA" and row.auth == "RSA" and not row.export:
        return Exchange(None, lambda body: _rsa_premaster(character, choice.version, body, offered, rng))
    make = _MAKERS.get(row.kex)
    # Every other suite of RSA and DH has its parameters in a certificate.
    if make is None or not (row.kex in {"DHE", "ECDHE", "SRP"} or row.anonymous or signs(choice.suite)):
        return Exchange()
    made = make(character, choice, rng)
    return Exchange(made.params) if row.auth == "PSK" else made


def _ecdhe(character: Character, choice: Choice, rng: Random) -> Exchange:
    group = choice.group or 0
    parameters = EcParameters(_NAMED_CURVE, group)
    if not supported(group):
        return Exchange(EcdheParams(parameters, look_alike_share(group, rng)))
    share = private_share(group, flaws.key_rng(character.quirks.flaw, rng))
    public = flaws.share(character.quirks.flaw, group, share.public)
    return Exchange(EcdheParams(parameters, public), lambda body: share.secret(parse(Opaque(1, 1), body)))


def look_alike_share(group: int, rng: Random) -> bytes:
    """Bytes of the length that shares of a group have, for groups that cannot be computed here."""
    row = GROUPS[group]
    value = rng.randbytes(row.server_share_len or 32)
    return b"\x04" + value[1:] if row.kind.startswith("ec") else value


def _dhe(character: Character, choice: Choice, rng: Random) -> Exchange:
    bits = export_bits(choice.suite) if SUITES[choice.suite].export else character.dh_bits
    prime = keys.dh_prime(bits)
    private = dh_private(int.from_bytes(prime), int.from_bytes(_GENERATOR), flaws.key_rng(character.quirks.flaw, rng))
    return Exchange(
        DheParams(prime, _GENERATOR, private.public), lambda body: private.secret(parse(Opaque(2, 1), body))
    )


def export_bits(suite: int) -> int:
    """Bits of the temporary keys of an export suite."""
    return 1024 if "EXPORT1024" in SUITES[suite].name else 512


def _srp(_: Character, __: Choice, rng: Random) -> Exchange:
    prime = keys.dh_prime(2048)
    public = rng.randrange(2, int.from_bytes(prime) - 1).to_bytes(len(prime))
    return Exchange(SrpParams(prime, _GENERATOR, rng.randbytes(16), public))


def _rsa(_: Character, choice: Choice, __: Random) -> Exchange:
    return Exchange(RsaParams(keys.export_modulus(export_bits(choice.suite)), b"\x01\x00\x01"))


_MAKERS: dict[str, Callable[[Character, Choice, Random], Exchange]] = {
    "ECDHE": _ecdhe,
    "ECDH": _ecdhe,
    "DHE": _dhe,
    "DH": _dhe,
    "SRP": _srp,
    "RSA": _rsa,
}


def _rsa_premaster(character: Character, version: int, body: bytes, offered: int, rng: Random) -> bytes:
    """What was encrypted to our certificate; something else, without a word, where it is padded badly.

    RFC 5246 section 7.4.7.1: whoever sends a bad block learns as little as whoever does not know the keys.
    """
    # RFC 6101 section 5.6.7.1: SSLv3 has no length in front of it.
    sealed = body if version == SSLV3 else parse(Opaque(2, 1), body)
    block = keys.rsa_key().decrypt(sealed)
    premaster, instead = block[-_PREMASTER:], rng.randbytes(_PREMASTER)
    if len(sealed) != keys.rsa_key().size or block[:2] != b"\x00\x02":
        fault = "begin"
    elif block.find(0, 2) != len(block) - _PREMASTER - 1:
        fault = "zero"
    else:
        fault = "" if premaster[:2] == offered.to_bytes(2) else "version"
    flaws.check_block(character.quirks.flaw, fault)
    return instead if fault else premaster
