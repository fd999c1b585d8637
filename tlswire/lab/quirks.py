"""In which ways a server of the lab may be awkward, as one value. Holds no logic; must not import anything of tlswire."""

from __future__ import annotations

from typing import Literal

import msgspec

Flaw = Literal[
    "",
    # What the questions of the set "attacks" look for.
    "heartbleed",
    "early-ccs",
    "robot-strong",
    "robot-weak",
    "robot-close",
    "robot-silent",
    "robot-short",
    "ticketbleed",
    "padding-alert",
    "padding-unchecked",
    "padding-close",
    "padding-empty",
    # What a handshake shows by itself.
    "no-sentinel",
    "static-keys",
    "same-random",
    "short-share",
    "off-curve",
    "bad-finished",
    "garbage-records",
    # What tries the bounds of a client.
    "certificate-bomb",
    "huge-chain",
    "huge-certificate",
    "huge-tickets",
    "endless-tickets",
    "endless-key-updates",
]

# What is wrong with a server at the edge of the RFCs: what it makes of hellos that hardly any client sends.
Edge = Literal[
    "",
    # Hellos that are refused, and should be answered; or never answered at all.
    "hangs-at-256",
    "drops-fragments",
    "one-segment",
    "refuses-record-0303",
    "refuses-unknown",
    "refuses-grease",
    "dies-of-session-id",
    # Hellos that are answered, and should be refused.
    "ignores-duplicates",
    "ignores-trailing",
    "ignores-binders",
    "ignores-compression",
    "no-compression",
    "odd-suites",
    "long-session-id",
    "off-curve-share",
    "zero-secret",
    "psk-anywhere",
    "early-change",
    # Answers, and alerts, that are wrong.
    "suite-of-its-own",
    "unlisted-group",
    "grease-suite",
    "grease-group",
    "unasked-extension",
    "pads-session-id",
    "leaks-behind-hello",
    "two-server-hellos",
    "retries-twice",
    "by-legacy-version",
    "wrong-alert",
    "misses-nothing",
]


class Quirks(msgspec.Struct, frozen=True):
    """In which ways a character is awkward; every default is the behaviour of a good server.

    ``refusal`` is how it says no. ``instead`` names what it does in place of a first flight, ``unoffered`` the part of
    its answer that nobody offered, ``needs`` what a hello must hold, ``flaw`` what is wrong with its handshakes
    (``lab.flaws`` does it), ``edge`` what is wrong with what it makes of hellos (``lab.edges``). 0 means no limit.
    """

    refusal: Literal["alert", "fragmented-alert", "close", "reset", "silence"] = "alert"
    instead: Literal[
        "",
        "close",
        "mute",
        "plain-http",
        "flood",
        "endless-message",
        "zero-record",
        "oversized-record",
        "malformed-hello",
    ] = ""
    unoffered: Literal["", "suite", "version", "extension", "group"] = ""
    needs: Literal["", "name", "alpn"] = ""
    warns_of_name: bool = False
    wire_limit: int = 0  # bytes of a hello with its record headers; larger ones are dropped
    suite_limit: int = 0  # longer lists are answered with FIN
    client_version_limit: int = 0  # a higher legacy_version is refused instead of negotiated down
    signs_with: int = 0  # this scheme, whatever was offered (before TLS 1.3)
    picks_blindly: bool = False  # settles on a suite before it looks whether it can serve it
    connections_a_second: int = 0  # beyond: RST, refused connections counted too
    connections_served: int = 0  # beyond: accepted, never answered
    serial: bool = False  # one client at a time
    delay: float = 0.0  # seconds before a first flight
    pace: float = 0.0  # seconds between the bytes of a first flight
    stale: bool = False  # draws the same for every handshake: random, session id, keys
    renegotiates: bool = False  # when the client wants to; safely if renegotiation_info is among its answers
    flaw: Flaw = ""
    edge: Edge = ""
