"""What flawed characters do otherwise: each function is given what a good server would send or find, and the flaw.

Vulnerable on purpose, and only as far as it takes to be found: "memory" is a text of our own. What claims to be endless
ends after some thousand repetitions. Sources stand with each flaw. Must not import anything of tlswire but ``errors``,
``registry``, ``crypto``, ``lab.quirks`` and ``lab.refusals``.
"""

from __future__ import annotations

import zlib
from random import Random
from typing import TYPE_CHECKING

import msgspec

from tlswire.crypto.protection import Cbc, Protection
from tlswire.errors import WireError
from tlswire.lab.refusals import BAD_RECORD_MAC, DECRYPT_ERROR, DECRYPTION_FAILED, RefusedError
from tlswire.registry import GROUPS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tlswire.lab.quirks import Flaw
    from tlswire.wire.messages import ServerHello

MEMORY = b"Nothing of anybody: this is what the lab has for memory. " * 300
ENDLESS = 4096
CHAIN_LENGTH = 10_000
# The longest body of a handshake message, and what stands in a Certificate around one entry of TLS 1.3.
_LONGEST, _AROUND = (1 << 24) - 1, 16
LONGEST_TICKET = (1 << 16) - 1
BOMB_SIZE = (1 << 24) - 1


# Messages before the keys.


def answered(flaw: Flaw, answer: ServerHello) -> ServerHello:
    """The ServerHello: its random is no news with "same-random", but for the mark of a downgrade."""
    if flaw != "same-random":
        return answer
    end = answer.random[24:] if answer.random[24:31] == b"DOWNGRD" else MEMORY[24:32]
    return msgspec.structs.replace(answer, random=MEMORY[:24] + end)


def key_rng(flaw: Flaw, rng: Random) -> Random:
    """What key shares are made from; with "static-keys" they are the same in every connection."""
    return Random("tlswire.lab") if flaw == "static-keys" else rng


def share(flaw: Flaw, group: int, public: bytes) -> bytes:
    """The key share: too short, or no point of the curve (zeros where every value is one; RFC 7748 section 6)."""
    if flaw == "short-share":
        return public[:-1]
    if flaw != "off-curve":
        return public
    return public[:-1] + bytes((public[-1] ^ 1,)) if GROUPS[group].kind == "ec" else bytes(len(public))


def session_id(flaw: Flaw, offered: bytes) -> bytes:
    """The session id that tells of a ticket taken: 32 bytes whatever was offered, with "ticketbleed"."""
    return offered + MEMORY[: 32 - len(offered)] if flaw == "ticketbleed" else offered


def chain(flaw: Flaw, leaf: bytes) -> tuple[bytes, ...]:
    """The certificates."""
    if flaw == "huge-certificate":
        return (leaf.ljust(_LONGEST - _AROUND, b"\0"),)
    return (leaf,) * (CHAIN_LENGTH if flaw == "huge-chain" else 1)


def compressed(flaw: Flaw, body: bytes) -> tuple[int, bytes]:
    """The length and the data of a CompressedCertificate by zlib."""
    body = bytes(BOMB_SIZE) if flaw == "certificate-bomb" else body
    return len(body), zlib.compress(body, 9)


# Keys.


class _Reaction(msgspec.Struct, frozen=True):
    """To what faults of a PKCS #1 block there is a reaction, and which."""

    faults: tuple[str, ...]
    refusal: tuple[int, str]


# Böck, Somorovsky, Young: Return Of Bleichenbacher's Oracle Threat (USENIX Security 2018), section 3.
_BLOCKS: dict[str, _Reaction] = {
    "robot-strong": _Reaction(("begin",), (DECRYPT_ERROR, "")),
    "robot-weak": _Reaction(("begin", "zero"), (DECRYPT_ERROR, "")),
    "robot-close": _Reaction(("begin",), (DECRYPT_ERROR, "close")),
    "robot-silent": _Reaction(("begin",), (DECRYPT_ERROR, "silence")),
    "robot-short": _Reaction(("begin",), (BAD_RECORD_MAC, "")),
}


def check_block(flaw: Flaw, fault: str) -> None:
    """Let the client know what is wrong with its block of RSA; raises RefusedError.

    ``fault`` is begin (not 00 02), zero (the 00 is missing or misplaced), version, or "" for a good one.
    """
    reaction = _BLOCKS.get(flaw)
    if reaction is not None and fault in reaction.faults:
        raise RefusedError(*reaction.refusal)


# Records.

# The paths of WireErrors that pass through RecordStream, and what they are refused with.
PADDING, BROKEN = "record.padding", "record.broken"
REFUSALS = {PADDING: (DECRYPTION_FAILED, ""), BROKEN: (BAD_RECORD_MAC, "close")}


class _Seen(msgspec.Struct, frozen=True):
    """What a server sees in a record of CBC: whether padding and MAC are good, and whether there is any data."""

    padding: bool
    mac: bool
    empty: bool


# What is said of it: "" takes the record.
_RECORDS: dict[str, Callable[[_Seen], str]] = {
    # Vaudenay: Security Flaws Induced by CBC Padding (EUROCRYPT 2002).
    "padding-alert": lambda seen: PADDING if not seen.padding else "" if seen.mac else "record.protected",
    "padding-unchecked": lambda seen: "" if seen.mac else "record.protected",
    "padding-close": lambda seen: _judged(seen, broken=seen.mac),
    "padding-empty": lambda seen: _judged(seen, broken=seen.empty and not seen.mac),
}


def _judged(seen: _Seen, *, broken: bool) -> str:
    if seen.padding and seen.mac:
        return ""
    return BROKEN if broken else "record.protected"


class _Telling(Protection):
    """Opens records of CBC as a flawed server does; seals none."""

    def __init__(self, inner: Cbc, judge: Callable[[_Seen], str]) -> None:
        super().__init__(inner.version)
        self._inner = inner
        self._judge = judge

    def _seal(self, content: int, data: bytes) -> bytes:
        return self._inner.seal(content, data)

    def _open(self, record_type: int, version: int, fragment: bytes) -> tuple[int, bytes]:
        inner = self._inner
        inner.sequence = self.sequence
        plain = inner.open_blocks(fragment)
        size = plain[-1] + 1
        padded = size <= len(plain) and plain[-size:] == plain[-1:] * size
        # RFC 5246 section 6.2.3.2, note: where the padding is wrong, the MAC is taken as if there were none.
        content = plain[:-size] if size <= len(plain) else plain
        try:
            data, good = inner.checked(record_type, version, content), True
        except WireError:
            data, good = b"", False
        told = self._judge(_Seen(padded, good, len(content) <= len(inner.mac(record_type, b""))))
        if told:
            raise WireError("a record that does not open", told)
        return record_type, data


def opener(flaw: Flaw, protection: Protection) -> Protection:
    """What opens the client's records."""
    judge = _RECORDS.get(flaw)
    return _Telling(protection, judge) if judge is not None and isinstance(protection, Cbc) else protection


class _Garbage(Protection):
    """Seals what nobody opens."""

    def __init__(self, inner: Protection) -> None:
        super().__init__(inner.version)
        self._inner = inner

    def _seal(self, content: int, data: bytes) -> bytes:
        record = self._inner.seal(content, data)
        return record[:5] + bytes(byte ^ 0x55 for byte in record[5:])

    def _open(self, record_type: int, version: int, fragment: bytes) -> tuple[int, bytes]:
        return self._inner.open(record_type, version, fragment)


def sealer(flaw: Flaw, protection: Protection) -> Protection:
    """What seals the server's records."""
    return _Garbage(protection) if flaw == "garbage-records" else protection


# The end of the handshake, and what comes after it.


def finished(flaw: Flaw, verify_data: bytes) -> bytes:
    """The body of Finished."""
    return bytes(len(verify_data)) if flaw == "bad-finished" else verify_data


def ticket(flaw: Flaw, name: bytes) -> bytes:
    """The ticket of that name, which it begins with."""
    return name.ljust(LONGEST_TICKET, b"\0") if flaw == "huge-tickets" else name


def beats_unasked(flaw: Flaw) -> bool:
    """Whether heartbeats are answered that nobody agreed on: what CVE-2014-0160 is about never looked."""
    return flaw == "heartbleed"


def heartbeat(flaw: Flaw, length: int, sent: bytes) -> bytes | None:
    """The payload that answers a request of ``sent`` (payload and padding) which claims a payload of ``length`` bytes.

    RFC 6520 section 4: nothing at all where the length is a lie. CVE-2014-0160 believed it.
    """
    if length + _PADDING <= len(sent):
        return sent[:length]
    return (sent + MEMORY)[:length] if flaw == "heartbleed" else None


_PADDING = 16  # RFC 6520 section 4: at least
