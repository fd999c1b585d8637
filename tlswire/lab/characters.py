"""DOOR: the server characters of the lab, as data: a new one is one row of CHARACTERS.

What a character accepts follows from its row alone (``accepted``), which makes it the ground truth of tests.
Must not import anything of tlswire but ``errors``, ``registry``, ``lab.quirks`` and ``lab.plants``.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Literal

import msgspec

from tlswire.errors import LookupFailedError
from tlswire.lab.plants import PLANTS
from tlswire.lab.quirks import Quirks
from tlswire.registry import GROUPS, SSLV2_KINDS, SUITES, VERSIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tlswire.lab.quirks import Flaw

SSLV2, SSLV3, TLS10, TLS11, TLS12, TLS13 = 0x0002, 0x0300, 0x0301, 0x0302, 0x0303, 0x0304

RC4_SHA = 0x0005


class Character(msgspec.Struct, frozen=True):
    """A server: what it is configured for (``suites`` per version, best first) and how it behaves.

    ``certificates`` are the kinds it has (rsa, ec, dsa), ``answers`` the extensions it understands and answers,
    ``reads`` those it understands and has nothing to say to.
    """

    name: str
    description: str
    suites: Mapping[int, tuple[int, ...]]
    groups: tuple[int, ...]
    schemes: tuple[int, ...]
    answers: tuple[int, ...] = ()
    reads: tuple[int, ...] = ()
    preference: Literal["server", "client"] = "server"
    certificates: tuple[str, ...] = ("rsa", "ec")
    alpn: tuple[bytes, ...] = ()
    compression: tuple[int, ...] = (0,)
    dh_bits: int = 2048
    fallback_scsv: bool = True  # RFC 7507
    client_certificate: Literal["", "optional", "required"] = ""
    session_ids: bool = True  # remembered, below TLS 1.3; tickets are an answer to session_ticket
    tickets: int = 2  # of TLS 1.3
    early_data: int = 0  # bytes of 0-RTT data that tickets allow
    quirks: Quirks = Quirks()


# Who signs for the suites of an authentication; the other kinds (GOST, SM2, FORTEZZA) borrow the RSA certificate, for
# nobody could tell before the handshake goes on.
_CERTIFICATES = {"DSS": "dsa", "ECDSA": "ec"}
_WITHOUT_CERTIFICATE = frozenset({"anon", "PSK", "KRB5", "ECCPWD", "NULL", "SRP"})


def certificate_kind(suite: int) -> str | None:
    """The kind of certificate a suite before TLS 1.3 needs; None when it sends none."""
    row = SUITES[suite]
    # RFC 4279 section 4: RSA_PSK is authenticated by the key and by an RSA certificate.
    if row.auth in _WITHOUT_CERTIFICATE and not (row.auth == "PSK" and row.kex == "RSA"):
        return None
    return _CERTIFICATES.get(row.auth, "rsa")


def accepted(character: Character) -> dict[int, frozenset[int]]:
    """The truth: version code -> the suites (SSLv2: cipher kinds) that a hello offering just them gets chosen.

    Versions that accept nothing are left out. Awkward characters that never send a readable choice of what was
    offered accept nothing, the others what they would answer if asked patiently enough.
    """
    if character.quirks.instead or character.quirks.unoffered == "version":
        return {}
    kinds = {None, *character.certificates}
    return {
        version: frozenset(suite for suite in suites if version in {SSLV2, TLS13} or certificate_kind(suite) in kinds)
        for version, suites in character.suites.items()
    }


def _suites(names: str) -> tuple[int, ...]:
    return tuple(SUITES.find(name).code for name in names.split())


def _groups(names: str) -> tuple[int, ...]:
    return tuple(GROUPS.find(name).code for name in names.split())


SERVER_NAME, MAX_FRAGMENT_LENGTH, STATUS_REQUEST, POINT_FORMATS, HEARTBEAT, ALPN, SCT = 0, 1, 5, 11, 15, 16, 18
ENCRYPT_THEN_MAC, EXTENDED_MASTER_SECRET, COMPRESS_CERTIFICATE, RECORD_SIZE_LIMIT = 22, 23, 27, 28
SESSION_TICKET, RENEGOTIATION_INFO = 35, 0xFF01

_PSS_ECDSA_PKCS1 = (0x0403, 0x0804, 0x0401, 0x0805, 0x0501, 0x0806, 0x0601)
_WITH_SHA1 = (*_PSS_ECDSA_PKCS1, 0x0201, 0x0203)
_ALL_SCHEMES = (*_WITH_SHA1, 0x0503, 0x0603, 0x0301, 0x0303, *(0x0102 + 0x100 * hash_ for hash_ in range(6)), 0x0101)
_TLS13_SUITES = "TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256 TLS_AES_128_GCM_SHA256"

_MODERN = Character(
    name="modern",
    description="TLS 1.2 with ECDHE and AEAD, TLS 1.3 with all five suites, a post-quantum group",
    suites={
        TLS12: _suites(
            "ECDHE-ECDSA-AES256-GCM-SHA384 ECDHE-RSA-AES256-GCM-SHA384 ECDHE-ECDSA-CHACHA20-POLY1305"
            " ECDHE-RSA-CHACHA20-POLY1305 ECDHE-ECDSA-AES128-GCM-SHA256 ECDHE-RSA-AES128-GCM-SHA256"
        ),
        TLS13: _suites(f"{_TLS13_SUITES} TLS_AES_128_CCM_SHA256 TLS_AES_128_CCM_8_SHA256"),
    },
    groups=_groups("X25519MLKEM768 x25519 secp256r1"),
    schemes=_PSS_ECDSA_PKCS1,
    answers=(SERVER_NAME, POINT_FORMATS, ALPN, EXTENDED_MASTER_SECRET, SESSION_TICKET, RENEGOTIATION_INFO),
    alpn=(b"h2", b"http/1.1"),
)

_OLD_CBC = (
    "AES128-SHA AES256-SHA ECDHE-RSA-AES128-SHA ECDHE-RSA-AES256-SHA DHE-RSA-AES128-SHA DHE-RSA-AES256-SHA"
    " DES-CBC3-SHA EDH-RSA-DES-CBC3-SHA RC4-SHA RC4-MD5"
)

_LEGACY_MDM = Character(
    name="legacy-mdm",
    description="an MDM server of 2014: TLS 1.0 to 1.2, mostly static RSA, no extended master secret, RC4 and 3DES",
    suites={
        TLS10: _suites(_OLD_CBC),
        TLS11: _suites(_OLD_CBC),
        TLS12: _suites(
            "AES128-GCM-SHA256 AES256-GCM-SHA384 AES128-SHA256 AES256-SHA256 DHE-RSA-AES128-SHA256"
            f" DHE-RSA-AES256-SHA256 ECDHE-RSA-AES128-SHA256 ECDHE-RSA-AES256-SHA384 {_OLD_CBC}"
        ),
    },
    groups=_groups("secp256r1 secp384r1"),
    schemes=(0x0401, 0x0501, 0x0601, 0x0201),
    answers=(SERVER_NAME, POINT_FORMATS, RENEGOTIATION_INFO),
    certificates=("rsa",),
    dh_bits=1024,
    fallback_scsv=False,
    client_certificate="optional",
)

_TLS_VERSIONS = (SSLV3, TLS10, TLS11, TLS12, TLS13)

# What the museum does not show: were it complete, a scanner that calls everything accepted would pass.
_NOT_SHOWN = frozenset({"ARIA-256-GCM", "CAMELLIA-256-CBC", "AES-256-CCM8", "ESTREAM-SALSA20", "NONE"})

# TLS 1.2 suites (AEAD, SHA-2) that the museum takes under older versions too: no version before 1.2 defines them.
_OUT_OF_TIME = {
    SSLV3: _suites("AES128-GCM-SHA256 AES256-SHA256"),
    TLS10: _suites("AES128-GCM-SHA256 AES128-SHA256 DHE-RSA-AES256-GCM-SHA384 ECDHE-RSA-AES128-GCM-SHA256"),
    TLS11: _suites("AES256-GCM-SHA384 AES128-SHA256 ECDHE-RSA-CHACHA20-POLY1305 ECDHE-ECDSA-AES256-SHA384"),
}


def _exhibits(version: int) -> tuple[int, ...]:
    spans = {VERSIONS[code].name: code for code in _TLS_VERSIONS}
    # The SM2 and SM4 suites of TLCP came to servers of TLS 1.2 as its companions.
    spans["TLCP 1.1"] = TLS12
    shown = (
        row.code
        for row in SUITES
        if row.enc not in _NOT_SHOWN and spans[row.min_version] <= version <= spans[row.max_version]
    )
    return (*shown, *_OUT_OF_TIME.get(version, ()))


def _museum_groups() -> Iterable[int]:
    first = _groups("x25519 secp256r1 secp384r1 secp521r1")
    yield from first
    yield from (row.code for row in GROUPS if row.kind not in {"grease", "explicit"} and row.code not in first)


_MUSEUM = Character(
    name="museum",
    description="every sort no real server shows any more, SSLv2 to TLS 1.3: EXPORT, NULL, anon, KRB5, GOST, drafts",
    suites={SSLV2: tuple(row.code for row in SSLV2_KINDS)} | {version: _exhibits(version) for version in _TLS_VERSIONS},
    groups=tuple(_museum_groups()),
    schemes=_ALL_SCHEMES,
    answers=(POINT_FORMATS, HEARTBEAT, ENCRYPT_THEN_MAC, SESSION_TICKET),
    preference="client",
    certificates=("rsa", "ec", "dsa"),
    compression=(1, 0),
    dh_bits=1024,
    fallback_scsv=False,
)

_STRICT = Character(
    name="strict",
    description="TLS 1.2 and 1.3 by the letter of the RFCs: what tlswire fuzz should find nothing in",
    suites={
        TLS12: _suites(
            "ECDHE-ECDSA-AES128-GCM-SHA256 ECDHE-RSA-AES128-GCM-SHA256 ECDHE-ECDSA-CHACHA20-POLY1305"
            " ECDHE-RSA-CHACHA20-POLY1305 ECDHE-ECDSA-AES256-GCM-SHA384 ECDHE-RSA-AES256-GCM-SHA384"
            " ECDHE-RSA-AES128-SHA ECDHE-RSA-AES256-SHA AES128-GCM-SHA256 AES256-GCM-SHA384 AES128-SHA AES256-SHA"
        ),
        TLS13: _suites("TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256"),
    },
    groups=_groups("X25519MLKEM768 x25519 secp256r1 secp384r1 ffdhe2048"),
    schemes=_WITH_SHA1,
    answers=(
        *(SERVER_NAME, MAX_FRAGMENT_LENGTH, POINT_FORMATS, ALPN, ENCRYPT_THEN_MAC, EXTENDED_MASTER_SECRET),
        *(COMPRESS_CERTIFICATE, RECORD_SIZE_LIMIT, SESSION_TICKET, RENEGOTIATION_INFO),
    ),
    reads=(STATUS_REQUEST,),
    alpn=(b"h2", b"http/1.1"),
)

_PLAIN_CBC = "ECDHE-RSA-AES128-SHA ECDHE-RSA-AES256-SHA AES128-SHA AES256-SHA DES-CBC3-SHA"
_PLAIN_TLS12 = (
    "ECDHE-ECDSA-AES128-GCM-SHA256 ECDHE-RSA-AES128-GCM-SHA256 ECDHE-RSA-AES256-GCM-SHA384"
    " ECDHE-RSA-CHACHA20-POLY1305 DHE-RSA-AES128-GCM-SHA256 AES128-GCM-SHA256 AES256-GCM-SHA384"
)
_PLAIN = Character(
    name="plain",
    description="an ordinary server of fifteen suites, TLS 1.0 to 1.3",
    suites={
        TLS10: _suites(_PLAIN_CBC),
        TLS11: _suites(_PLAIN_CBC),
        TLS12: _suites(f"{_PLAIN_TLS12} {_PLAIN_CBC}"),
        TLS13: _suites(_TLS13_SUITES),
    },
    groups=_groups("x25519 secp256r1 secp384r1 ffdhe2048"),
    schemes=_WITH_SHA1,
    answers=(SERVER_NAME, POINT_FORMATS, ALPN, EXTENDED_MASTER_SECRET, RENEGOTIATION_INFO),
    alpn=(b"h2", b"http/1.1"),
)

# The awkward ones: the plain server with a quirk. name -> (description, quirks).
_AWKWARD: dict[str, tuple[str, Quirks]] = {
    "drops-large": ("silently drops hellos of more than 512 bytes on the wire", Quirks(wire_limit=512)),
    "limits-suites": ("closes when more than 128 suites are offered", Quirks(suite_limit=128)),
    "rate-limited": ("resets what comes beyond 20 connections a second", Quirks(connections_a_second=20)),
    "tarpit": ("after 100 connections accepts and never answers again", Quirks(connections_served=100)),
    "closes": ("says FIN instead of an alert to what it refuses", Quirks(refusal="close")),
    "resets": ("says RST instead of an alert to what it refuses", Quirks(refusal="reset")),
    "silent-refusal": ("never answers what it refuses", Quirks(refusal="silence")),
    "fragmented-alert": ("splits its alerts over two records", Quirks(refusal="fragmented-alert")),
    "unoffered-version": ("chooses a version that was not offered", Quirks(unoffered="version")),
    "unoffered-extension": ("answers an extension that was not offered", Quirks(unoffered="extension")),
    "unoffered-group": ("does its key exchange in a group that was not offered", Quirks(unoffered="group")),
    "serial": ("serves one client at a time", Quirks(serial=True)),
    "slow": ("takes 100 ms for a handshake", Quirks(delay=0.1)),
    "drip": ("sends one byte a second", Quirks(pace=1.0)),
    "flood": ("sends handshake records without end", Quirks(instead="flood")),
    "endless-message": ("sends one ServerHello of 16 MiB", Quirks(instead="endless-message")),
    "malformed-hello": ("sends a ServerHello whose lengths lie", Quirks(instead="malformed-hello")),
    "zero-record": ("sends empty handshake records without end", Quirks(instead="zero-record")),
    "oversized-record": ("sends a record longer than any TLS version allows", Quirks(instead="oversized-record")),
    "plain-http": ("is a web server without TLS", Quirks(instead="plain-http")),
    "closes-at-once": ("says FIN right after accept", Quirks(instead="close")),
    "mute": ("accepts and says nothing", Quirks(instead="mute")),
    "needs-name": ("refuses a hello without server_name (unrecognized_name)", Quirks(needs="name")),
    "warns-name": ("warns of unrecognized_name, then goes on", Quirks(warns_of_name=True)),
    "needs-alpn": ("refuses a hello without ALPN h2 (no_application_protocol)", Quirks(needs="alpn")),
}

_SPECIAL = (
    msgspec.structs.replace(
        _PLAIN,
        name="list-intolerant",
        description="refuses a whole list when the suite it would pick lacks a certificate",
        suites={
            version: _suites("ECDHE-ECDSA-AES256-SHA ECDHE-ECDSA-AES128-SHA") + suites if version < TLS13 else suites
            for version, suites in _PLAIN.suites.items()
        },
        certificates=("rsa",),
        quirks=Quirks(picks_blindly=True),
    ),
    msgspec.structs.replace(
        _PLAIN,
        name="unoffered-suite",
        description="chooses TLS_RSA_WITH_RC4_128_SHA whatever was offered",
        suites=dict.fromkeys((TLS10, TLS11, TLS12), (RC4_SHA,)),
        quirks=Quirks(unoffered="suite"),
    ),
    msgspec.structs.replace(
        _PLAIN,
        name="ignores-schemes",
        description="TLS 1.0 to 1.2, signs with rsa_pkcs1_sha1 whatever was offered",
        suites={version: suites for version, suites in _PLAIN.suites.items() if version < TLS13},
        certificates=("rsa",),
        quirks=Quirks(signs_with=0x0201),
    ),
    msgspec.structs.replace(
        _PLAIN,
        name="mlkem-only",
        description="TLS 1.3 with no group but X25519MLKEM768",
        suites={TLS13: _PLAIN.suites[TLS13]},
        groups=_groups("X25519MLKEM768"),
    ),
    msgspec.structs.replace(
        _PLAIN,
        name="version-intolerant",
        description="TLS 1.0 only, refuses a higher client_version instead of answering with its own",
        suites={TLS10: _suites(_OLD_CBC)},
        quirks=Quirks(client_version_limit=TLS10),
    ),
)

_OPTIONS = (
    msgspec.structs.replace(
        _PLAIN,
        name="needs-certificate",
        description="an ordinary server that refuses clients without a certificate of their own",
        client_certificate="required",
    ),
    msgspec.structs.replace(
        _MODERN,
        name="early-data",
        description="the modern server with 0-RTT data",
        early_data=1 << 14,
    ),
    msgspec.structs.replace(
        _PLAIN,
        name="compresses",
        description="an ordinary server that compresses its certificate (RFC 8879) and, before TLS 1.3, records (DEFLATE)",
        answers=(*_PLAIN.answers, COMPRESS_CERTIFICATE),
        compression=(1, 0),
    ),
    msgspec.structs.replace(
        _PLAIN,
        name="garbage-status",
        description="an ordinary server whose OCSP staple and SCTs are garbage",
        answers=(*_PLAIN.answers, STATUS_REQUEST, SCT),
    ),
    msgspec.structs.replace(
        _PLAIN,
        name="renegotiates",
        description="an ordinary server that renegotiates when the client wants to, bound by RFC 5746",
        quirks=Quirks(renegotiates=True),
    ),
    msgspec.structs.replace(
        _PLAIN,
        name="renegotiates-insecurely",
        description="an ordinary server that renegotiates as before RFC 5746 (CVE-2009-3555)",
        answers=tuple(code for code in _PLAIN.answers if code != RENEGOTIATION_INFO),
        quirks=Quirks(renegotiates=True),
    ),
)

# The flawed ones: the plain server, what else it answers, and one flaw. name -> (description, answers, flaw).
_FLAWED: dict[str, tuple[str, tuple[int, ...], Flaw]] = {
    "heartbleed": ("gives away memory for short heartbeats (CVE-2014-0160)", (HEARTBEAT,), "heartbleed"),
    "ccs-injection": ("takes a ChangeCipherSpec before there are keys (CVE-2014-0224)", (), "early-ccs"),
    "robot": ("has another alert for blocks of RSA that begin badly (ROBOT, strong)", (), "robot-strong"),
    "robot-weak": ("has another alert for blocks of RSA that are padded badly (ROBOT, weak)", (), "robot-weak"),
    "robot-close": ("closes without a word on blocks of RSA that begin badly (ROBOT)", (), "robot-close"),
    "robot-silent": ("falls silent on blocks of RSA that begin badly (ROBOT)", (), "robot-silent"),
    "robot-short": ("answers bad blocks of RSA before Finished has come (ROBOT)", (), "robot-short"),
    "ticketbleed": ("fills up short session ids with memory (CVE-2016-9244)", (SESSION_TICKET,), "ticketbleed"),
    "padding-oracle": ("has another alert for bad padding than for a bad MAC", (), "padding-alert"),
    "poodle-tls": ("does not look at the padding of its records (CVE-2014-8730)", (), "padding-unchecked"),
    "zombie-poodle": ("closes without a word on bad padding behind a good MAC", (), "padding-close"),
    "zero-length": ("closes without a word on empty records with a bad MAC (CVE-2019-1559)", (), "padding-empty"),
    "no-sentinel": ("does not mark its random where it falls back", (), "no-sentinel"),
    "static-keys": ("uses its keys of DHE and ECDHE again and again", (), "static-keys"),
    "same-random": ("has the same random in every ServerHello", (), "same-random"),
    "short-share": ("sends key shares that are one byte short", (), "short-share"),
    "off-curve": ("sends points that are not on their curve", (), "off-curve"),
    "bad-finished": ("sends a Finished that does not verify", (), "bad-finished"),
    "garbage-records": ("sends what no key opens once records are protected", (), "garbage-records"),
    "certificate-bomb": ("compresses 16 MiB of zeros", (COMPRESS_CERTIFICATE,), "certificate-bomb"),
    "huge-chain": ("sends a chain of 10,000 certificates", (), "huge-chain"),
    "huge-certificate": ("sends a Certificate message of 16 MiB", (), "huge-certificate"),
    "huge-tickets": ("sends tickets of 64 KiB", (SESSION_TICKET,), "huge-tickets"),
    "endless-tickets": ("sends tickets without end (TLS 1.3)", (), "endless-tickets"),
    "endless-key-updates": ("updates its keys without end (TLS 1.3)", (), "endless-key-updates"),
}

CHARACTERS: dict[str, Character] = {
    character.name: character
    for character in (
        _MODERN,
        _LEGACY_MDM,
        _MUSEUM,
        _PLAIN,
        _STRICT,
        *(
            msgspec.structs.replace(_PLAIN, name=name, description=f"an ordinary server that {text}", quirks=quirks)
            for name, (text, quirks) in _AWKWARD.items()
        ),
        *_SPECIAL,
        *_OPTIONS,
        *(
            msgspec.structs.replace(
                _PLAIN,
                name=name,
                description=f"an ordinary server that {text}",
                answers=_PLAIN.answers + answers,
                # One client at a time, or the memory of this machine would be what is tried.
                quirks=Quirks(flaw=flaw, serial=flaw in {"huge-chain", "huge-certificate"}),
            )
            for name, (text, answers, flaw) in _FLAWED.items()
        ),
        *(
            msgspec.structs.replace(
                _STRICT,
                name=name,
                description=f"the strict server, but {plant.text}",
                quirks=plant.quirks,
                fallback_scsv=plant.fallback_scsv,
            )
            for name, plant in PLANTS.items()
        ),
    )
}


def character(name: str) -> Character:
    """The character called ``name``. Raises LookupFailedError with the nearest names."""
    if name in CHARACTERS:
        return CHARACTERS[name]
    near = ", ".join(difflib.get_close_matches(name, CHARACTERS, n=3, cutoff=0.5))
    hint = f"; did you mean {near}?" if near else f"; there are {', '.join(CHARACTERS)}"
    raise LookupFailedError(repr(name), f"no character of the lab{hint}")
