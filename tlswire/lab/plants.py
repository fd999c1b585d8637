"""DOOR: faults planted for the fuzzer: characters that are the strict one, but for one thing. A new one is one row here.

A plant's quirk is as a rule an edge, which ``lab.edges`` and ``lab.negotiation`` carry out. Must not import anything of
tlswire but ``lab.quirks``.
"""

from __future__ import annotations

import msgspec

from tlswire.lab.quirks import Edge, Quirks


class Plant(msgspec.Struct, frozen=True):
    """One fault: ``text`` goes on after "the strict server, but", ``shown_by`` are ids of the fuzzer's cases."""

    text: str
    shown_by: tuple[str, ...]
    quirks: Quirks
    fallback_scsv: bool = True


# Edges, whose names are those of their characters: name -> (text, the cases that show it).
_EDGES: dict[Edge, tuple[str, str]] = {
    "hangs-at-256": ("never answers a hello of 256 to 511 bytes (RFC 7685)", "Z02 Z03 Z04 Z05 Z06"),
    "drops-fragments": ("never answers a hello in several records", "R01 R02 R03 R04 R05"),
    "one-segment": ("takes the first TCP segment for the whole hello (tldr.fail)", "R07 R08"),
    "refuses-record-0303": ("refuses hellos whose record says 0x0303", "R17"),
    "refuses-unknown": ("refuses hellos with an extension that is not registered", "E01 E02 E03 E05 E06"),
    "refuses-grease": ("refuses hellos with a GREASE extension", "E04"),
    "dies-of-session-id": ("a session id of 33 bytes ends it: it is away for three seconds", "C05"),
    "ignores-duplicates": ("takes the first of two extensions of one type", "E07 E08 E09 E10 E11 E12 E13 E14 E15 P10"),
    "ignores-trailing": ("does not read on behind the extensions", "H28 H29"),
    "ignores-binders": ("does not count the binders of pre_shared_key", "P07 P08"),
    "ignores-compression": ("does not look at compression methods", "C29 C30 C32"),
    "no-compression": ("takes an empty list of compression methods", "C28"),
    "odd-suites": ("takes lists of suites of an odd length", "C09"),
    "long-session-id": ("takes session ids of more than 32 bytes", "C05 C06"),
    "off-curve-share": ("goes on with points that are not on their curve (TLS 1.3)", "K17 K22 K23"),
    "zero-secret": ("goes on with shares of x25519 that give no secret (TLS 1.3)", "K12 K13 K14"),
    "psk-anywhere": ("takes a pre_shared_key that is not the last extension", "P02"),
    "early-change": ("takes a ChangeCipherSpec before the first hello", "R27"),
    "suite-of-its-own": (
        "chooses its own favourite where it likes no suite offered",
        "C11 C12 C13 C15 C19 C20 C24 C25 C26 C27 E54",
    ),
    "unlisted-group": ("takes a key share of a group that supported_groups does not list", "K05"),
    "grease-suite": ("chooses a GREASE suite where one is offered", "C14"),
    "grease-group": ("answers with a GREASE group where one is offered (TLS 1.3)", "G06 K29"),
    "unasked-extension": ("answers extended_master_secret without being asked (TLS 1.2)", "C35 C36"),
    "pads-session-id": ("fills up the session id it echoes to 32 bytes (TLS 1.3)", "C02 C03"),
    "leaks-behind-hello": ("says more behind its ServerHello where there is no session id (TLS 1.3)", "C01 Z00"),
    "two-server-hellos": ("says its ServerHello twice after a HelloRetryRequest", "X01 X11 X12 X13"),
    "retries-twice": ("answers the second hello with a HelloRetryRequest, too", "X01 X11 X12 X13"),
    "by-legacy-version": ("goes by legacy_version alone where that is not 0x0303", "V12 V13 V14 V15 V16 V18"),
    "wrong-alert": ("says handshake_failure where decode_error is due", "C10 C38 C39 E16 E17 H16 H26 S14 K25"),
    "misses-nothing": ("says handshake_failure where missing_extension is due", "G05 K02 K03 D01 P03"),
}

PLANTS: dict[str, Plant] = {
    name: Plant(text, tuple(cases.split()), Quirks(edge=name)) for name, (text, cases) in _EDGES.items()
} | {
    "no-mark": Plant("does not mark its random where it falls back to TLS 1.2", ("B02",), Quirks(flaw="no-sentinel")),
    "falls-back": Plant("lets clients fall back (RFC 7507)", ("C21",), Quirks(), fallback_scsv=False),
}

SHOWN_BY: dict[str, tuple[str, ...]] = {name: plant.shown_by for name, plant in PLANTS.items()}
