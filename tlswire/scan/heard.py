"""The extensions in a server's messages: which stood where, what they say in words, and which rule one breaks.

One value for a clear-text flight (``Answer``) and a whole handshake (``Conversation``). Pure. Sources: RFC 9846 section
4.3 (only what was offered, only where the registry allows it), RFC 5246 section 7.4.1.4, RFC 8422 section 5.2.
Must not import ``report`` or ``cli``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tlswire.errors import WireError
from tlswire.hello.builder import TLS13_VERSION
from tlswire.registry import EXTENSIONS
from tlswire.results.answers.extensions import Answered
from tlswire.wire.cursor import named
from tlswire.wire.extensions import ROWS, decode_extension, has_body, trace_extension

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.handshake.conversation import Conversation
    from tlswire.probe.exchange import Answer
    from tlswire.wire.cursor import Node
    from tlswire.wire.messages import CertificateEntry, ClientHello, Extension, ServerHello

COOKIE = 44
# The registry's columns as messages are called.
MESSAGES = {
    "sh": "ServerHello",
    "hrr": "HelloRetryRequest",
    "ee": "EncryptedExtensions",
    "ct": "Certificate",
    "cr": "CertificateRequest",
    "nst": "NewSessionTicket",
}
# Those that answer the hello; a CertificateRequest and a ticket say something of their own (RFC 9846 section 4.3).
_RESPONSES = frozenset({"sh", "hrr", "ee", "ct"})
# What TLS 1.3 brought has no place in an older ServerHello (RFC 9846 section 4.3.1 and after).
_ONLY_TLS13 = frozenset({41, 42, 43, 44, 45, 47, 48, 49, 51})
# Hostile servers: so many extensions are told, and so many bytes of each.
MAX_ANSWERED = 256
MAX_DATA = 512
_MAX_WORDS = 200


class Said(msgspec.Struct, frozen=True):
    """One extension as it came: the registry's column of its message, its code and its body; ``again`` in one message."""

    message: str
    code: int
    data: bytes
    again: bool = False


def said_by(heard: Answer | Conversation) -> list[Said]:
    """Every extension of every message, in the order of the handshake."""
    found: list[Said] = []
    for message, extensions in _messages(heard):
        seen: set[int] = set()
        for item in extensions or ():
            found.append(Said(message, item.type, item.data, item.type in seen))
            seen.add(item.type)
    return found


def _messages(heard: Answer | Conversation) -> Iterator[tuple[str, tuple[Extension, ...] | None]]:
    hellos: tuple[ServerHello | None, ...] = (getattr(heard, "retry", None), heard.hello)
    for hello in hellos:
        if hello is not None:
            yield hello.message, hello.extensions
    encrypted = getattr(heard, "encrypted_extensions", None)
    if encrypted is not None:
        yield "ee", encrypted.extensions
    request = getattr(heard, "certificate_request", None)
    if request is not None and hasattr(request, "extensions"):
        yield "cr", request.extensions
    entries: tuple[CertificateEntry, ...] = getattr(heard, "entries", ())
    for entry in entries:
        yield "ct", entry.extensions
    for ticket in getattr(heard, "tickets", ())[:1]:
        yield "nst", getattr(ticket, "extensions", None)


def judged(heard: Answer | Conversation, offer: ClientHello, version: int) -> list[Answered]:
    """The extensions of ``heard``, each with the rule it breaks; those of further certificates where they say more."""
    offered = frozenset(offer.extension_types)
    found = dict.fromkeys(said_by(heard))
    return [_answered(said, offered, version) for said in list(found)[:MAX_ANSWERED]]


def _answered(said: Said, offered: frozenset[int], version: int) -> Answered:
    return Answered(
        code=EXTENSIONS.hex(said.code),
        name=EXTENSIONS[said.code].name,
        message=MESSAGES[said.message],
        value=in_words(said.code, said.data, said.message),
        length=len(said.data),
        data=said.data[:MAX_DATA].hex(),
        fault=fault_of(said, offered, version),
    )


def fault_of(said: Said, offered: frozenset[int], version: int) -> str | None:
    """Which rule an extension breaks in a handshake of ``version``; None for one that breaks none."""
    code, message = said.code, said.message
    if message in _RESPONSES and code not in offered and (message, code) != ("hrr", COOKIE):
        return "was not offered (RFC 9846 4.3)" if version >= TLS13_VERSION else "was not offered (RFC 5246 7.4.1.4)"
    if _misplaced(code, message, version):
        return f"does not belong in {MESSAGES[message]} of {'TLS 1.3' if version >= TLS13_VERSION else 'TLS 1.2'}"
    if said.again:
        return "stands there twice (RFC 9846 4.3)"
    try:
        decode_extension(code, said.data, message)
    except WireError as error:
        return f"cannot be read: {error.reason}"
    return None


def _misplaced(code: int, message: str, version: int) -> bool:
    row = EXTENSIONS[code]
    if version >= TLS13_VERSION:
        return row.status == "iana" and message not in row.messages
    return code in _ONLY_TLS13 or (row.status == "iana" and code in ROWS and not has_body(code, message))


def in_words(code: int, data: bytes, message: str) -> str:
    """The body of an extension on one bounded line; its bytes where it has no grammar here."""
    text = _words(trace_extension(code, data, message, 0))
    return text if len(text) <= _MAX_WORDS else f"{text[:_MAX_WORDS]}... ({len(data)} bytes)"


def _words(node: Node) -> str:
    if node.error:
        return f"unreadable: {node.error}"
    if not node.children:
        return "" if node.text == "(empty)" else node.text
    named_parts = not node.children[0].name.startswith("[")
    parts = (f"{child.name} {_words(child)}" if named_parts else _words(child) for child in node.children)
    return ", ".join(part.strip() for part in parts)


def label(code: int) -> str:
    """An extension as findings name it."""
    return named(EXTENSIONS, code)
