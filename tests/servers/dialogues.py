"""The server's side of every dialogue before TLS, from the RFCs and manuals, and a listener that speaks it.

``Peer`` is sans-IO: bytes in, bytes out, until TLS is agreed on. ``in_front`` puts it before a TLS server's port.
Must not import tlswire: what a client says is judged here by another reading of the same text.
"""

from __future__ import annotations

import asyncio
import re
import struct
from collections.abc import Callable
from typing import NamedTuple

from .listener import Listener, streamed
from .process import HOST


class Turn(NamedTuple):
    """What a client says (a pattern of its whole words) and the answer; the last ``agrees``: TLS follows it."""

    said: bytes
    answer: bytes | Callable[[re.Match[bytes]], bytes]
    agrees: bool = False


class Script(NamedTuple):
    """How a server greets, and how it answers."""

    greeting: bytes
    turns: tuple[Turn, ...]


def _mail(hello: bytes, kind: bytes) -> Script:
    capabilities = b"250-mail.example greets you\r\n250-PIPELINING\r\n250-STARTTLS\r\n250 SIZE 1000\r\n"
    return Script(
        b"220-mail.example %s\r\n220 ready\r\n" % kind,
        (
            Turn(hello + rb" [^\r\n ]+\r\n", capabilities),
            Turn(rb"STARTTLS\r\n", b"220 2.0.0 go ahead\r\n", agrees=True),
        ),
    )


_OPTION = b"\x2e"
_FOLLOWS = b"\xff\xfa" + _OPTION + b"\x01\xff\xf0"
_XMPP = b"<?xml version='1.0'?><stream:stream xmlns:stream='http://etherx.jabber.org/streams' xmlns='jabber:%s' id='7' version='1.0' from='localhost'>"
_FEATURES = (
    b"<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>"
    b"<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms></stream:features>"
)


def _xmpp(namespace: bytes) -> Script:
    header = (
        rb"(?:<\?xml version='1\.0'\?>)?<stream:stream(?=[^>]* xmlns='jabber:%s')(?=[^>]* xmlns:stream='http://etherx\.jabber\.org/streams')"
        rb"(?=[^>]* to='[^'<>&]*(?:&(?:lt|gt|amp|apos);[^'<>&]*)*')[^>]* version='1\.0'>"
    )
    start = rb"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'\s*/>"
    return Script(
        b"",
        (
            Turn(header % namespace, _XMPP % namespace + _FEATURES),
            Turn(start, b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", agrees=True),
        ),
    )


# MySQL 8's greeting: protocol 10, version, thread, challenge, filler, lower capabilities (CLIENT_SSL among them),
# character set, status, upper capabilities, length of the challenge, ten zeros, its rest, the plug-in's name.
MYSQL_GREETING = (
    b"\x0a8.0.36-example\0" + struct.pack("<I", 42) + b"8bytes!!\0" + struct.pack("<HBHHB", 0xFFFF, 45, 2, 0xDFFF, 21)
)
MYSQL_GREETING += bytes(10) + b"12bytesmore!\0caching_sha2_password\0"


def mysql_packet(body: bytes, number: int = 0) -> bytes:
    return struct.pack("<I", len(body) | number << 24) + body


# MS-TDS 2.2.6.5: options VERSION, ENCRYPTION (ENCRYPT_REQ), terminator, in a packet of type 4.
_PRELOGIN = struct.pack(">BHHBHHB", 0, 11, 6, 1, 17, 1, 0xFF) + b"\x10\x00\x03\xe8\x00\x00" + b"\x03"
TDS_REPLY = struct.pack(">BBHHBB", 4, 1, 8 + len(_PRELOGIN), 0, 1, 0) + _PRELOGIN

# X.224 connection confirm with RDP_NEG_RSP: PROTOCOL_SSL.
RDP_CONFIRM = bytes.fromhex("030000130ed000001234000200080001000000")

OPENVPN_SERVER = b"\x01\x02\x03\x04\x05\x06\x07\x08"


def openvpn_packet(opcode: int, body: bytes) -> bytes:
    packet = bytes([opcode << 3]) + OPENVPN_SERVER + body
    return struct.pack(">H", len(packet)) + packet


def _openvpn_reset(said: re.Match[bytes]) -> bytes:
    # Acknowledges the client's packet 0, and is the server's own packet 0.
    return openvpn_packet(8, b"\x01" + bytes(4) + said[1] + bytes(4))


SCRIPTS: dict[str, Script] = {
    "smtp": _mail(rb"EHLO", b"ESMTP"),
    "lmtp": _mail(rb"LHLO", b"LMTP"),
    "imap": Script(
        b"* OK [CAPABILITY IMAP4rev2 STARTTLS LOGINDISABLED] ready\r\n",
        (
            Turn(rb"(\S+) CAPABILITY\r\n", lambda said: b"* CAPABILITY IMAP4rev2 STARTTLS\r\n%s OK done\r\n" % said[1]),
            Turn(rb"(\S+) STARTTLS\r\n", lambda said: b"* OK soon\r\n%s OK begin\r\n" % said[1], agrees=True),
        ),
    ),
    "pop3": Script(b"+OK ready <1.2@pop.example>\r\n", (Turn(rb"STLS\r\n", b"+OK begin\r\n", agrees=True),)),
    "sieve": Script(
        b'"IMPLEMENTATION" "example"\r\n"SIEVE" "fileinto OKAY"\r\n"STARTTLS"\r\n"VERSION" "1.0"\r\nOK "ready"\r\n',
        (Turn(rb"STARTTLS\r\n", b'OK "begin"\r\n', agrees=True),),
    ),
    "nntp": Script(
        b"201 news.example, no posting\r\n",
        (
            Turn(rb"CAPABILITIES\r\n", b"101 list\r\nVERSION 2\r\nREADER\r\nSTARTTLS\r\n.\r\n"),
            Turn(rb"STARTTLS\r\n", b"382 begin\r\n", agrees=True),
        ),
    ),
    "ftp": Script(
        b"220-files.example\r\n221 is not the end\r\n  nor this\r\n220 ready\r\n",
        (Turn(rb"AUTH TLS\r\n", b"234 begin\r\n", agrees=True),),
    ),
    "xmpp-client": _xmpp(b"client"),
    "xmpp-server": _xmpp(b"server"),
    "ldap": Script(
        b"",
        (
            Turn(
                rb"\x30\x1d\x02\x01(.)\x77\x18\x80\x161\.3\.6\.1\.4\.1\.1466\.20037",
                lambda said: b"\x30\x84\0\0\0\x24\x02\x01" + said[1] + b"\x78\x1f\x0a\x01\0\x04\0\x04\0\x8a\x16" + b"1.3.6.1.4.1.1466.20037",
                agrees=True,
            ),
        ),
    ),
    "postgres": Script(b"", (Turn(rb"\0\0\0\x08\x04\xd2\x16\x2f", b"S", agrees=True),)),
    "mysql": Script(
        mysql_packet(MYSQL_GREETING),
        # PROTOCOL_41 and CLIENT_SSL, size, character set, zeros.
        (Turn(rb"\x20\0\0\x01.[\x0a\x0e\x8a\xaa\xae].{2}.{4}.\0{23}", b"", agrees=True),),
    ),
    "tds": Script(b"", (Turn(rb"\x12\x01\0\x29.{4}\0.{4}\x01.{4}\x02.{4}\x03.{4}\xff.{6}[\x01\x03].{5}", TDS_REPLY, agrees=True),)),
    "rdp": Script(b"", (Turn(rb"\x03\0\0\x13\x0e\xe0\0\0..\0\x01\0\x08\0[\x01\x03\x0b]\0\0\0", RDP_CONFIRM, agrees=True),)),
    "irc": Script(
        b":irc.example NOTICE * :*** Looking up your 670 hostname...\r\n",
        (Turn(rb"STARTTLS\r\n", b":irc.example 670 * :STARTTLS successful, proceed\r\n", agrees=True),),
    ),
    "telnet": Script(
        # DO START_TLS among other options. FOLLOWS as soon as the client will: openssl waits for it before it says it.
        b"\xff\xfd\x18\xff\xfd" + _OPTION + b"\xff\xfd\x20",
        (Turn(rb"\xff\xfb\x2e", _FOLLOWS), Turn(re.escape(_FOLLOWS), b"", agrees=True)),
    ),
    "vnc": Script(
        b"RFB 003.008\n",
        (
            Turn(rb"RFB 003\.008\n", b"\x03\x01\x02\x13"),
            Turn(rb"\x13", b"\x00\x02"),
            Turn(rb"\x00\x02", b"\x00\x03" + struct.pack(">III", 256, 258, 261)),
            Turn(rb"\x00\x00\x01\x05", b"\x01", agrees=True),
        ),
    ),
    "openvpn-tcp": Script(b"", (Turn(rb"\x00\x0e\x38(.{8})\0\0{4}", _openvpn_reset, agrees=True),)),
    "amqp": Script(b"", (Turn(rb"AMQP\x02\x01\0\0", b"AMQP\x02\x01\0\0", agrees=True),)),
}  # fmt: skip

# What a server says that goes no further: what it answers to which turn (-1: it greets like this), and what of it must
# be told.
REFUSALS: dict[str, tuple[tuple[int, bytes, str], ...]] = {
    "smtp": (
        (-1, b"421 4.7.0 too many connections\r\n", "421 4.7.0 too many connections"),
        (-1, b"554-no\r\n554 service\r\n", "554-no / 554 service"),
        (0, b"502 what?\r\n", "502 what?"),
        (1, b"454 4.7.0 TLS not available\x1b[31m\r\n", "454 4.7.0 TLS not available\\x1b[31m"),
    ),
    "lmtp": ((1, b"502 5.5.2 no\r\n", "502 5.5.2 no"),),
    "imap": (
        (-1, b"* BYE too many\r\n", "* BYE too many"),
        (-1, b"* PREAUTH welcome home\r\n", "PREAUTH"),
        (1, b"a NO TLS is off\r\n", "a NO TLS is off"),
        (1, b"* OK wait\r\na BAD unknown command\r\n", "a BAD unknown command"),
        (1, b"* BYE idle\r\n", "* BYE idle"),
    ),
    "pop3": ((-1, b"-ERR [SYS/TEMP] later\r\n", "-ERR [SYS/TEMP] later"), (0, b"-ERR no\r\n", "-ERR no")),
    "sieve": ((-1, b'BYE "full"\r\n', 'BYE "full"'), (0, b'NO "STARTTLS is off"\r\n', 'NO "STARTTLS is off"')),
    "nntp": ((-1, b"400 later\r\n", "400 later"), (1, b"580 Can not initiate TLS\r\n", "580 Can not initiate TLS")),
    "ftp": ((-1, b"421 too many users\r\n", "421 too many users"), (0, b"530 Please login first\r\n", "530 Please login first")),
    "xmpp-client": (
        (
            0,
            _XMPP % b"client" + b"<stream:error><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>",
            "host-unknown",
        ),
        (1, b"<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:stream>", "<failure"),
    ),
    "xmpp-server": ((1, b"<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'></failure></stream:stream>", "<failure"),),
    "ldap": (
        (0, b"\x30\x14\x02\x01\x01\x78\x0f\x0a\x01\x02\x04\x00\x04\x08no TLS!!", "result code 2: no TLS!!"),
        (0, b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x01\x04\x00\x04\x00", "LDAP operation 0x61"),
        (0, b"\x30\x03\x02\x01\x01", "no ExtendedResponse"),
    ),
    "postgres": (
        (0, b"N", "answers N"),
        (0, b"EFATAL:  unsupported frontend protocol 1234.5679\n\0", "unsupported frontend protocol"),
        (0, b"E\0\0\0\x25SFATAL\0C53300\0Mtoo many clients\0\0", "too many clients"),
    ),
    "mysql": (
        (-1, mysql_packet(b"\xff\x10\x04Too many connections"), "Too many connections"),
        (-1, mysql_packet(b"\xff\x6a\x04#HY000Host is blocked"), "Host is blocked"),
        (-1, mysql_packet(MYSQL_GREETING.replace(b"\xff\xff\x2d", b"\xff\xf7\x2d")), "no CLIENT_SSL"),
        (-1, mysql_packet(b"\x095.0.1\0" + bytes(20)), "protocol version 9"),
        (-1, mysql_packet(b"\x0a5.0.1\0" + bytes(5)), "cut short"),
    ),
    "tds": (
        (0, TDS_REPLY[:-1] + b"\x02", "ENCRYPT_NOT_SUP"),
        (0, struct.pack(">BBHHBB", 4, 1, 9, 0, 1, 0) + b"\xff", "without a word of encryption"),
    ),
    "rdp": (
        (0, bytes.fromhex("0300000b06d00000123400"), "only RDP's own security"),
        (0, bytes.fromhex("030000130ed000001234000200080000000000"), "chooses RDP's own security"),
        (0, bytes.fromhex("030000130ed000001234000300080005000000"), "HYBRID_REQUIRED_BY_SERVER"),
        (0, bytes.fromhex("0300000b06800000123400"), "X.224 code 0x80"),
    ),
    "irc": (
        (0, b":irc.example 691 * :STARTTLS failure\r\n", "691 * :STARTTLS failure"),
        (0, b":irc.example 451 * :You have not registered\r\n", "451"),
        (-1, b"ERROR :Closing link: too many connections\r\n", "too many connections"),
    ),
    "telnet": ((-1, b"\xff\xfe\x2e", "does not want the option"),),
    "vnc": (
        (-1, b"RFB 003.003\n", "RFB 003.003 has no VeNCrypt"),
        (0, b"\x00\x00\x00\x00\x08too many", "too many"),
        (0, b"\x02\x01\x02", "security types are 1, 2"),
        (1, b"\x00\x01", "older than 0.2"),
        (2, b"\xff", "refuses VeNCrypt"),
        (2, b"\x00\x01" + struct.pack(">I", 256), "without TLS"),
        (3, b"\x00", "refuses the subtype"),
    ),
    "openvpn-tcp": (),
    "amqp": ((0, b"AMQP\x00\x00\x09\x01", "AMQP\\x00\\x00\\x09\\x01"), (0, b"AMQP\x03\x01\x00\x00", "AMQP\\x03")),
}  # fmt: skip


class Peer:
    """One server in one dialogue; after ``agreed`` the bytes in ``rest`` are no longer the dialogue's."""

    def __init__(self, script: Script) -> None:
        self.agreed = False
        self.rest = b""
        self._script = script

    def greet(self) -> bytes:
        return self._script.greeting

    def receive(self, data: bytes) -> bytes:
        """What the server answers; ValueError for words that no client of this protocol says."""
        self.rest += data
        answers = b""
        while not self.agreed and self.rest:
            for turn in self._script.turns:
                if said := re.match(turn.said, self.rest, re.DOTALL):
                    answers += turn.answer if isinstance(turn.answer, bytes) else turn.answer(said)
                    self.agreed = turn.agrees
                    self.rest = self.rest[said.end() :]
                    break
            else:
                if len(self.rest) > 512:
                    raise ValueError(f"not understood: {self.rest!r}")
                break
        return answers


class Tds:
    """The server's envelope of MS-TDS 3.2.5.2."""

    def __init__(self) -> None:
        self._buffer = b""

    def open(self, data: bytes) -> tuple[bytes, bytes]:
        self._buffer += data
        found = b""
        while len(self._buffer) >= 8 and len(self._buffer) >= (size := int.from_bytes(self._buffer[2:4], "big")):
            assert self._buffer[0] == 0x12
            assert size <= 4096
            found += self._buffer[8:size]
            self._buffer = self._buffer[size:]
        return found, b""

    def wrap(self, data: bytes) -> bytes:
        pieces = [data[at : at + 1000] for at in range(0, len(data), 1000)]
        return b"".join(
            struct.pack(">BBHHBB", 0x12, at == len(pieces) - 1, 8 + len(piece), 0, at & 255, 0) + piece
            for at, piece in enumerate(pieces)
        )


class OpenVpn:
    """The server's envelope of OpenVPN: checks numbers, acknowledges everything at once, sends at most ``window``."""

    def __init__(self, window: int = 4) -> None:
        self._buffer = b""
        self._client = b""
        self._next = 1
        self._sent = 1
        self._flying: set[int] = {0}
        self._waiting = b""
        self._window = window

    def open(self, data: bytes) -> tuple[bytes, bytes]:
        self._buffer += data
        found, back = b"", b""
        while len(self._buffer) >= 2 and len(self._buffer) >= (size := 2 + int.from_bytes(self._buffer[:2], "big")):
            packet, self._buffer = self._buffer[2:size], self._buffer[size:]
            self._client = packet[1:9]
            count = packet[9]
            at = 10 + 4 * count
            self._flying -= set(struct.unpack_from(f">{count}I", packet, 10))
            if count:
                assert packet[at : at + 8] == OPENVPN_SERVER
                at += 8
            if packet[0] >> 3 == 4:
                (number,) = struct.unpack_from(">I", packet, at)
                assert number == self._next
                self._next += 1
                found += packet[at + 4 :]
                back += openvpn_packet(5, b"\x01" + struct.pack(">I", number) + self._client)
            else:
                assert packet[0] >> 3 == 5
        return found, back + self._go()

    def wrap(self, data: bytes) -> bytes:
        self._waiting += data
        return self._go()

    def _go(self) -> bytes:
        out = b""
        while self._waiting and len(self._flying) < self._window:
            piece, self._waiting = self._waiting[:500], self._waiting[500:]
            self._flying.add(self._sent)
            out += openvpn_packet(4, b"\x00" + struct.pack(">I", self._sent) + piece)
            self._sent += 1
        return out


ENVELOPES: dict[str, Callable[[], Tds | OpenVpn]] = {"tds": Tds, "openvpn-tcp": OpenVpn}

# What a connection meets: its ordinal, then the words that are said instead of the greeting and end it; b"": none.
Mood = Callable[[int], bytes]


def in_front(
    port: int, protocol: str, *, in_clear: bytes = b"", bytewise: bool = False, mood: Mood = lambda _: b""
) -> Listener:
    """A server of ``protocol`` that hands TLS on to ``port``. ``in_clear`` is said right behind the go-ahead,
    ``bytewise`` says every byte of the dialogue in a segment of its own.
    """

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def say(words: bytes) -> None:
            for piece in [words[at : at + 1] for at in range(len(words))] if bytewise else [words]:
                writer.write(piece)
                await writer.drain()
                if bytewise:
                    await asyncio.sleep(0)

        last_words = mood(listener.connections)
        if last_words:
            await say(last_words)
            return
        peer = Peer(SCRIPTS[protocol])
        await say(peer.greet())
        while not peer.agreed:
            data = await reader.read(1 << 16)
            if not data:
                return
            await say(peer.receive(data))
        await say(in_clear)
        await _relay(port, ENVELOPES.get(protocol), peer.rest, reader, writer)

    listener = streamed(handler)
    return listener


async def _relay(
    port: int,
    envelope: Callable[[], Tds | OpenVpn] | None,
    first: bytes,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    packets = None if envelope is None else envelope()
    up_reader, up_writer = await asyncio.open_connection(HOST, port)

    async def up() -> None:
        data = first
        while True:
            if packets is not None:
                data, back = packets.open(data)
                writer.write(back)
            up_writer.write(data)
            if not (data := await reader.read(1 << 16)):
                break
        up_writer.write_eof()

    async def down() -> None:
        while data := await up_reader.read(1 << 16):
            writer.write(data if packets is None else packets.wrap(data))
            await writer.drain()

    upward = asyncio.ensure_future(up())
    try:
        await down()
    finally:
        up_writer.close()
        upward.cancel()
