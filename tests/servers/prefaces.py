"""What the oracle says before TLS: the client's side of each dialogue, the plainest way there is.

Reads byte by byte, so that nothing of TLS is taken away. Must not import tlswire: two implementations that agree are
evidence, one that is asked twice is not.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

# What must have been heard (a pattern for its end), and what is said then.
Turn = tuple[bytes, bytes]

XMPP = b"<stream:stream xmlns='jabber:%s' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' to='localhost'>"
START = b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"


def _mail(hello: bytes) -> tuple[Turn, ...]:
    return (rb"220 .*\n", hello + b" oracle.example\r\n"), (rb"250 .*\n", b"STARTTLS\r\n"), (rb"220 .*\n", b"")


TURNS: dict[str, tuple[Turn, ...]] = {
    "smtp": _mail(b"EHLO"),
    "lmtp": _mail(b"LHLO"),
    "imap": ((rb"\* OK .*\n", b"o1 CAPABILITY\r\n"), (rb"o1 OK .*\n", b"o2 STARTTLS\r\n"), (rb"o2 OK .*\n", b"")),
    "pop3": ((rb"\+OK.*\n", b"STLS\r\n"), (rb"\+OK.*\n", b"")),
    "sieve": ((rb"OK .*\n", b"STARTTLS\r\n"), (rb"OK .*\n", b"")),
    "nntp": ((rb"20[01] .*\n", b"STARTTLS\r\n"), (rb"382 .*\n", b"")),
    "ftp": ((rb"220 .*\n", b"AUTH TLS\r\n"), (rb"234 .*\n", b"")),
    "xmpp-client": ((b"", XMPP % b"client"), (rb"</stream:features>", START), (rb"<proceed[^>]*/>", b"")),
    "xmpp-server": ((b"", XMPP % b"server"), (rb"</stream:features>", START), (rb"<proceed[^>]*/>", b"")),
    "ldap": (
        (b"", b"\x30\x1d\x02\x01\x07\x77\x18\x80\x16" + b"1.3.6.1.4.1.1466.20037"),
        (rb"\x30.\x02\x01\x07\x78.\x0a\x01\x00\x04\x00\x04\x00", b""),
    ),
    "postgres": ((b"", struct.pack(">II", 8, 80877103)), (b"S", b"")),
    "mysql": ((rb"...\x00\x0a.*mysql_native_password\x00", struct.pack("<IIIB23x", 32 | 1 << 24, 0x8A01, 1 << 20, 8)),),
    "rdp": (
        (b"", bytes.fromhex("030000130ee000000000000100080003000000")),
        (rb"\x03\x00\x00\x13\x0e\xd0.{5}\x02.\x08\x00[\x01\x02]\x00{3}", b""),
    ),
    "irc": ((b"", b"STARTTLS\r\n"), (rb" 670 .*\n", b"")),
    "vnc": (
        (rb"RFB 003\.008\n", b"RFB 003.008\n"),
        (rb"\x01\x13", b"\x13"),
        (rb"\x00\x02", b"\x00\x02"),
        (rb"\x00\x01\x00\x00\x01\x04", b"\x00\x00\x01\x04"),
        (rb"\x01", b""),
    ),
}


def preface(protocol: str) -> Callable[[socket.socket], None]:
    """Speaks the dialogue on a fresh connection; ConnectionError where the server does not go along."""

    def speak(connection: socket.socket) -> None:
        for awaited, words in TURNS[protocol]:
            heard = b""
            while awaited and not re.search(awaited + rb"\Z", heard, re.DOTALL):
                byte = connection.recv(1)
                if not byte or len(heard) > 1 << 14:
                    raise ConnectionError(f"{protocol}: {heard!r}")
                heard += byte
            if words:
                connection.sendall(words)

    return speak
