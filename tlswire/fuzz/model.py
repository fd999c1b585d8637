"""What a case of the catalogue is: a hello with a difference, the clause that speaks of it, the reactions it allows.

Holds no logic but matching. Sources: RFC 9846 section 6 (what "abort with an alert" means).
Must not import anything of tlswire but ``fuzz.script``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from tlswire.fuzz.script import Ground, Script

Level = Literal["MUST", "SHOULD", "MAY", "unspecified"]
MUST, SHOULD, MAY, UNSPECIFIED = "MUST", "SHOULD", "MAY", "unspecified"

# Classes of reactions; an alert is "alert:NN".
FLIGHT, RETRY, HELLO_THEN_ABORT, CLOSE, HANG, NOT_TLS, DEAD = (
    "flight",
    "retry",
    "hello-then-abort",
    "close",
    "hang",
    "not-tls",
    "dead",
)
ANY_ALERT = "alert"

UNEXPECTED_MESSAGE, BAD_RECORD_MAC, RECORD_OVERFLOW, HANDSHAKE_FAILURE = 10, 20, 22, 40
ILLEGAL_PARAMETER, DECODE_ERROR, DECRYPT_ERROR, PROTOCOL_VERSION = 47, 50, 51, 70
INSUFFICIENT_SECURITY, INAPPROPRIATE_FALLBACK, MISSING_EXTENSION = 71, 86, 109
UNSUPPORTED_EXTENSION, UNRECOGNIZED_NAME, UNKNOWN_PSK_IDENTITY, NO_APPLICATION_PROTOCOL = 110, 112, 115, 120

# What a hello may draw, as sets of reactions.
NEGOTIATE = (FLIGHT, RETRY)
ASK_AGAIN = (RETRY,)
ABORT = (ANY_ALERT, CLOSE)
ENDED = (ANY_ALERT, CLOSE, HELLO_THEN_ABORT)
# Where no clause decides: anything a living TLS server does.
ANYTHING = (FLIGHT, RETRY, HELLO_THEN_ABORT, ANY_ALERT, CLOSE)
WAITING = (*ANYTHING, HANG)
NO_TLS = (ANY_ALERT, CLOSE, HANG, NOT_TLS)


def alerts(*codes: int) -> tuple[str, ...]:
    """The reactions of "abort with one of these alerts".

    RFC 9846 section 6.2: the alert should be sent and the connection must be closed, so an end without one conforms; an
    alert may also be lost in the reset that follows it.
    """
    return (*(f"alert:{code}" for code in codes), CLOSE)


class Case(msgspec.Struct, frozen=True):
    """One row of the catalogue.

    ``make`` gives what is sent. ``allowed`` are the reactions that conform; ``version`` is what must be negotiated where
    something is (0: any that was offered). ``needs`` are the features (rows of ``fuzz.features.FEATURES``) without which
    a server is not judged. ``clause`` names RFC 9846 first, with the section of RFC 8446 where it differs; ``history``
    are bugs of this kind, ``peers`` what other tools say where they disagree with the text.
    """

    id: str
    group: str
    name: str
    base: str
    difference: str
    make: Callable[[Ground], Script]
    clause: str
    level: Level
    allowed: tuple[str, ...]
    version: int = 0
    needs: tuple[str, ...] = ()
    history: str = ""
    peers: str = ""


def permits(allowed: tuple[str, ...], reaction: str, flight: tuple[str, ...] = ()) -> bool:
    """Whether ``reaction`` is among ``allowed``; for an abort behind a ServerHello its last word decides, too."""
    if reaction in allowed or (reaction.startswith("alert:") and ANY_ALERT in allowed):
        return True
    return reaction == HELLO_THEN_ABORT and bool(flight) and flight[-1] != reaction and permits(allowed, flight[-1])
