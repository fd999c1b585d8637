"""A sensible body for every registered extension, for a hello that asks what a server answers to each.

One row an extension: what is offered, or why it is not. What belongs to every hello (names, groups, schemes, versions,
key shares) is the builder's. Bodies are the smallest that mean something and bind the client to nothing.
Must not import anything of tlswire but ``registry``, ``wire`` and the rest of ``hello``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tlswire.hello.builder import USUAL_SCHEMES
from tlswire.hello.ech import ECH, grease
from tlswire.hello.shares import probe_share
from tlswire.registry import EXTENSIONS, GREASE
from tlswire.wire.extension_bodies import (
    CachedObject,
    EncryptedSni,
    KeyShareEntry,
    OcspRequest,
    StatusRequest,
    TicketRequest,
    TokenBinding,
    TrustedAuthority,
)
from tlswire.wire.extensions import encode_extension

if TYPE_CHECKING:
    from random import Random

# What the builder puts into every hello that can do with it.
BUILT = frozenset({0, 10, 13, 43, 45, 51})
# Offered in a hello of its own, because an answer to it changes the others, or what comes after them.
APART: dict[int, str] = {
    1: "bounds the records of the whole connection",
    16: "a list without a protocol of the server's may end the handshake",
    28: "takes the place of max_fragment_length",
    0x4469: "goes with application protocols",
    0x44CD: "goes with application protocols",
}
LEFT_OUT: dict[int, str] = {
    14: "of DTLS (RFC 5764 4.1): OpenSSL refuses a TLS hello for it",
    29: "pwd_clear stands for both forms of a password's user",
    31: "only repeats the salt of a HelloRetryRequest (RFC 8492 4.6)",
    33: "only with an external PSK (RFC 8773)",
    36: "names the middleboxes of a session",
    37: "names the middleboxes of a session",
    38: "names the middleboxes of a session",
    39: "only beside use_srtp (RFC 8870 5.2.1)",
    40: "the key share of drafts, before its code was moved",
    41: "needs a session to resume",
    42: "needs a session to resume",
    44: "only repeats the cookie of a HelloRetryRequest (RFC 9846 4.3.2)",
    46: "reserved: of drafts of TLS 1.3, in tickets only",
    48: "only servers send it (RFC 9846 4.3.5)",
    57: "must be refused outside QUIC (RFC 9001 8.2)",
    60: "of DTLS; its draft has no body for TLS",
    0x12E0: "no document gives its body",
    0x8A3B: "would stand for the certificate",
    0xFD00: "only within an encrypted hello (RFC 9849 5.1)",
    0xFF03: "would change the form of the records",
    0xFFA5: "must be refused outside QUIC (RFC 9001 8.2)",
}

_OCSP = OcspRequest((), b"")
# Stands for an issuer the caller does not know: "CN=tlswire".
_AUTHORITY = bytes.fromhex("30123110300e06035504030c07") + b"tlswire"
# Values as ``wire.extensions`` takes them; numbers without a table here are those of the RFC named there.
_VALUES: dict[int, Any] = {
    2: None,
    3: (TrustedAuthority(0, None),),  # pre_agreed: asks for nothing
    4: None,
    5: StatusRequest(1, _OCSP),
    6: (64,),  # upn_domain_hint (RFC 4681 section 3)
    7: (0, 1, 2, 3),
    8: (0, 1, 2, 3),
    9: (0, 1),
    11: (0,),
    12: b"user",
    15: 1,
    17: (StatusRequest(2, _OCSP), StatusRequest(1, _OCSP)),
    18: None,
    19: (0, 2),
    20: (0, 2),  # X.509 first: who has it goes on with it
    21: bytes(4),
    22: None,
    23: None,
    24: TokenBinding(1, 0, (2, 1, 0)),
    25: (CachedObject(1, bytes(32)),),
    26: None,
    27: (1, 2, 3),
    30: b"user",
    32: (),
    34: USUAL_SCHEMES,
    35: b"",
    47: (_AUTHORITY,),
    49: None,
    50: USUAL_SCHEMES,
    52: None,
    53: b"",
    54: b"",
    55: b"",
    56: bytes(20),
    58: TicketRequest(2, 1),
    59: 443,
    61: None,
    62: b"\x00\x01",  # flag 8
    0x3374: None,
    0x3377: b"",
    0x337C: b"",
    0x754F: None,
    0x7550: None,
    0x8B47: bytes(4),
    0xCA34: (),
    0xFF01: b"",
    0xFFCE: EncryptedSni(0x1301, KeyShareEntry(0x001D, probe_share(0x001D)), bytes(32), bytes(64)),
    **dict.fromkeys(GREASE, b""),
}


def bodies(rng: Random) -> dict[int, bytes]:
    """Extension -> the body it is offered with, of all that may stand in one hello."""
    made = {code: encode_extension(code, value, "ch") for code, value in _VALUES.items()}
    made[ECH] = grease(rng)
    return {row.code: made[row.code] for row in EXTENSIONS if row.code in made}
