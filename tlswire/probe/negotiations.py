"""Dialogues made of bytes rather than lines: where a reply of each ends and what it says of TLS.

Rows of ``starttls``, which names the source of each. Pure: no I/O. Must not import anything of tlswire but
``probe.dialogue`` and ``wire.cursor``.
"""

from __future__ import annotations

import re
import struct

from tlswire.probe.dialogue import MAX_HEARD, NEVER, Step, counted, octets, sized, through, told
from tlswire.wire.cursor import escaped

# XMPP: the end of what was awaited may be the end of everything.


def stream_goes_on(reply: bytes) -> str:
    """Whether a stream's features came, rather than an error (RFC 6120 section 4.9)."""
    return "" if re.search(rb"<(?:\w+:)?(?:features|starttls)\b", reply) else told(reply)


def stream_proceeds(reply: bytes) -> str:
    """Whether the answer to ``<starttls/>`` is ``<proceed/>`` (RFC 6120 section 5.4.2.3)."""
    return "" if re.search(rb"<(?:\w+:)?proceed\b", reply) else told(reply)


# AMQP: each side begins with the header of what it wants to speak.


def same_header(reply: bytes) -> str:
    """Whether the server answers AMQP's TLS header with the same; else it names what it would speak instead."""
    return "" if reply == b"AMQP\x02\x01\x00\x00" else f"answers the header {escaped(reply)}"


# LDAP: one extended request (RFC 4511 sections 4.12 and 4.14), in BER.

_START_TLS_OID = b"1.3.6.1.4.1.1466.20037"


def _ber(data: bytes, at: int = 0) -> tuple[int, int, int] | None:
    """Tag, start and end of the element at ``at``; None while its length is not there. ValueError for a length that no
    reply of a dialogue has.
    """
    if len(data) < at + 2:
        return None
    length, start = data[at + 1], at + 2
    if length & 0x80:
        size = length & 0x7F
        if not 0 < size <= 4:
            raise ValueError("indefinite or long length")
        if len(data) < start + size:
            return None
        length, start = int.from_bytes(data[start : start + size], "big"), start + size
    return data[at], start, start + length


def _ldap_message(data: bytes) -> int:
    try:
        element = _ber(data)
    except ValueError:
        return NEVER
    if element is None:
        return 0 if data[:1] == b"\x30" else NEVER
    tag, _, end = element
    return NEVER if tag != 0x30 or end > MAX_HEARD else counted(data, end)


def _ldap_accepts(reply: bytes) -> str:
    """ExtendedResponse, resultCode success; the diagnostic message else."""
    try:
        # LDAPMessage: messageID, then [APPLICATION 24] { resultCode, matchedDN, diagnosticMessage, ... }
        at = _inside(reply, 0)
        at = _behind(reply, at)
        if reply[at] != 0x78:
            return f"answers with LDAP operation 0x{reply[at]:02x}"
        at = _inside(reply, at)
        code = _content(reply, at)
        text = _content(reply, _behind(reply, _behind(reply, at)))
    except (IndexError, ValueError):
        return f"answers what is no ExtendedResponse: {told(reply)}"
    return "" if code == b"\x00" else f"result code {int.from_bytes(code, 'big')}: {escaped(text[:200])}"


def _element(data: bytes, at: int) -> tuple[int, int]:
    element = _ber(data, at)
    if element is None or element[2] > len(data):
        raise ValueError("cut short")
    return element[1], element[2]


def _inside(data: bytes, at: int) -> int:
    return _element(data, at)[0]


def _behind(data: bytes, at: int) -> int:
    return _element(data, at)[1]


def _content(data: bytes, at: int) -> bytes:
    start, end = _element(data, at)
    return data[start:end]


_LDAP_NAME = b"\x80" + bytes([len(_START_TLS_OID)]) + _START_TLS_OID
_LDAP_REQUEST = b"\x02\x01\x01\x77" + bytes([len(_LDAP_NAME)]) + _LDAP_NAME
LDAP = (Step(b"\x30" + bytes([len(_LDAP_REQUEST)]) + _LDAP_REQUEST, sized(_ldap_message), _ldap_accepts),)

# PostgreSQL: SSLRequest, answered by one byte, or by an error message of old servers.


def _postgres_answer(data: bytes) -> int:
    if data[:1] != b"E":
        return 1 if data[:1] in {b"S", b"N"} else NEVER
    if len(data) < 5:
        return 0
    length = 1 + int.from_bytes(data[1:5], "big")
    # Before protocol 3 an error was a text that ends in NUL.
    return counted(data, length) if 5 <= length <= MAX_HEARD else data.find(b"\0") + 1


def _postgres_accepts(reply: bytes) -> str:
    if reply == b"S":
        return ""
    if reply == b"N":
        return "the server has no TLS (it answers N)"
    fields = [field[1:] for field in reply[5:].split(b"\0") if field[:1] == b"M"]
    return told(fields[0] if fields else reply)


POSTGRES = (Step(struct.pack(">II", 8, 80877103), sized(_postgres_answer), _postgres_accepts),)

# MySQL and MariaDB: the server's greeting names what it can; TLS follows our request at once.

_CLIENT_SSL = 0x0800
# PROTOCOL_41, SECURE_CONNECTION, LONG_PASSWORD: what every client of the last twenty years can.
_MYSQL_CAPABILITIES = 0x0200 | 0x8000 | 0x0001 | _CLIENT_SSL
_UTF8MB4 = 45


def _mysql_packet(data: bytes) -> int:
    if len(data) < 4:
        return 0
    length = 4 + int.from_bytes(data[:3], "little")
    return counted(data, length) if 4 < length <= MAX_HEARD else NEVER


def _mysql_offers(reply: bytes) -> str:
    body = reply[4:]
    if body[0] == 0xFF:
        return told(re.sub(rb"\A#.{5}", b"", body[3:], flags=re.DOTALL))
    if body[0] != 10:
        return f"greets with protocol version {body[0]}"
    # Version string, thread id, the first part of the challenge, a filler, then the lower capabilities.
    at = body.find(b"\0") + 1 + 4 + 8 + 1
    if at == 13 or len(body) < at + 2:
        return f"a greeting that is cut short: {told(body)}"
    capabilities = int.from_bytes(body[at : at + 2], "little")
    return "" if capabilities & _CLIENT_SSL else "the server has no TLS (no CLIENT_SSL in its greeting)"


_MYSQL_REQUEST = struct.pack("<IIB23x", _MYSQL_CAPABILITIES, 1 << 24, _UTF8MB4)
MYSQL = (
    Step(b"", sized(_mysql_packet), _mysql_offers),
    Step(struct.pack("<I", len(_MYSQL_REQUEST) | 1 << 24) + _MYSQL_REQUEST),
)

# TDS (SQL Server, Sybase): PRELOGIN, whose option ENCRYPTION says whether TLS follows.

_PRELOGIN, _REPLY, _LAST = 0x12, 0x04, 0x01
_VERSION, _ENCRYPTION, _INSTANCE, _THREAD, _TERMINATOR = 0, 1, 2, 3, 0xFF
_ENCRYPT_ON, _ENCRYPT_NOT_SUPPORTED = 1, 2


def tds_packet(kind: int, body: bytes, number: int = 1, *, last: bool = True) -> bytes:
    """One packet of MS-TDS 2.2.3.1: type, status, length, SPID, number, window."""
    return struct.pack(">BBHHBB", kind, _LAST if last else 0, 8 + len(body), 0, number & 0xFF, 0) + body


def _prelogin() -> bytes:
    options = (
        (_VERSION, bytes(6)),
        (_ENCRYPTION, bytes([_ENCRYPT_ON])),
        (_INSTANCE, b"\0"),
        (_THREAD, bytes(4)),
    )
    at = 5 * len(options) + 1
    head, tail = b"", b""
    for token, value in options:
        head += struct.pack(">BHH", token, at + len(tail), len(value))
        tail += value
    return tds_packet(_PRELOGIN, head + bytes([_TERMINATOR]) + tail)


def _tds_reply(data: bytes) -> int:
    at = 0
    while len(data) >= at + 4:
        kind, status, length = struct.unpack_from(">BBH", data, at)
        if kind != _REPLY or length < 8:
            return NEVER
        at += length
        if status & _LAST:
            return counted(data, at)
    return 0 if data[:1] in {b"", bytes([_REPLY])} else NEVER


def _tds_encrypts(reply: bytes) -> str:
    body, at = b"", 0
    while at < len(reply):
        length = int.from_bytes(reply[at + 2 : at + 4], "big")
        body += reply[at + 8 : at + length]
        at += length
    at = 0
    while at + 5 <= len(body) and body[at] != _TERMINATOR:
        token, offset, length = struct.unpack_from(">BHH", body, at)
        if token == _ENCRYPTION and length == 1 and offset < len(body):
            unsupported = body[offset] == _ENCRYPT_NOT_SUPPORTED
            return "the server has no TLS (ENCRYPT_NOT_SUP)" if unsupported else ""
        at += 5
    return f"answers PRELOGIN without a word of encryption: {told(body)}"


TDS = (Step(_prelogin(), sized(_tds_reply), _tds_encrypts),)

# RDP: an X.224 connection request in a TPKT, with the security protocols we would take.

_PROTOCOL_SSL, _PROTOCOL_HYBRID, _PROTOCOL_HYBRID_EX = 1, 2, 8
_RDP_FAILURES = {
    1: "SSL_REQUIRED_BY_SERVER",
    2: "SSL_NOT_ALLOWED_BY_SERVER",
    3: "SSL_CERT_NOT_ON_SERVER",
    4: "INCONSISTENT_FLAGS",
    5: "HYBRID_REQUIRED_BY_SERVER",
    6: "SSL_WITH_USER_AUTH_REQUIRED_BY_SERVER",
}


def _rdp_request() -> bytes:
    # CredSSP begins with TLS, too: servers that insist on it are asked for it.
    wanted = _PROTOCOL_SSL | _PROTOCOL_HYBRID | _PROTOCOL_HYBRID_EX
    negotiation = struct.pack("<BBHI", 1, 0, 8, wanted)
    x224 = b"\xe0" + bytes(5) + negotiation
    return struct.pack(">BBHB", 3, 0, 5 + len(x224), len(x224)) + x224


def _tpkt(data: bytes) -> int:
    if data[0] != 3:
        return NEVER
    if len(data) < 4:
        return 0
    length = int.from_bytes(data[2:4], "big")
    return counted(data, length) if length >= 11 else NEVER


def _rdp_chooses(reply: bytes) -> str:
    if reply[5] & 0xF0 != 0xD0:
        return f"answers with X.224 code 0x{reply[5]:02x}"
    if len(reply) < 19:
        return "the server knows only RDP's own security"
    kind, value = reply[11], int.from_bytes(reply[15:19], "little")
    if kind == 3:
        return f"negotiation failure {_RDP_FAILURES.get(value, value)}"
    if kind != 2 or not value:
        return "the server chooses RDP's own security"
    return ""


RDP = (Step(_rdp_request(), sized(_tpkt), _rdp_chooses),)

# Telnet: both sides agree on the option START_TLS, then both say that TLS follows.

_OPTION = b"\x2e"
_WILL, _DO, _DONT = b"\xff\xfb" + _OPTION, b"\xff\xfd" + _OPTION, b"\xff\xfe" + _OPTION
_FOLLOWS = b"\xff\xfa" + _OPTION + b"\x01\xff\xf0"  # IAC SB START_TLS FOLLOWS IAC SE


def _telnet_agrees(reply: bytes) -> str:
    return "" if reply.endswith(_DO) else "the server does not want the option START_TLS"


TELNET = (
    Step(_WILL, through(re.escape(_DO) + b"|" + re.escape(_DONT), b"\xff"), _telnet_agrees),
    Step(_FOLLOWS, through(re.escape(_FOLLOWS), _FOLLOWS[:2])),
)

# VNC: version, security type VeNCrypt, its version, its subtype.

_VENCRYPT = 19
# X.509 first: the others are anonymous (TLSNone and so on).
_SUBTYPES = (260, 261, 262, 264, 257, 258, 259, 263)


def _rfb_version(data: bytes) -> int:
    shape = re.sub(rb"\d", b"0", data[:12])
    if not b"RFB 000.000\n".startswith(shape):
        return NEVER
    return counted(data, 12)


def _rfb_new(reply: bytes) -> str:
    # In 3.3 the server dictates a type, and VeNCrypt is none it can dictate (RFC 6143 section 7.1.2).
    return "" if reply[4:] >= b"003.007" else f"{told(reply)} has no VeNCrypt"


def _rfb_answer(reply: bytes) -> bytes:
    return b"RFB 003.007\n" if reply[4:11] == b"003.007" else b"RFB 003.008\n"


def _reason(data: bytes, at: int) -> int:
    """The end of a text behind its u32 length."""
    if len(data) < at + 4:
        return 0
    return counted(data, at + 4 + int.from_bytes(data[at : at + 4], "big"))


def _security_types(data: bytes) -> int:
    return counted(data, 1 + data[0]) if data[0] else _reason(data, 1)


def _has_vencrypt(reply: bytes) -> str:
    if not reply[0]:
        return told(reply[5:])
    offered = ", ".join(map(str, reply[1:]))
    return "" if _VENCRYPT in reply[1:] else f"the server has no VeNCrypt; its security types are {offered}"


def _subtypes(data: bytes) -> int:
    if data[0]:
        return 1
    return counted(data, 2 + 4 * data[1]) if len(data) > 1 else 0


def _subtype(reply: bytes) -> int | None:
    offered = struct.unpack(f">{reply[1]}I", reply[2:])
    return next((code for code in _SUBTYPES if code in offered), None)


def _has_tls(reply: bytes) -> str:
    if reply[0]:
        return "the server refuses VeNCrypt 0.2"
    return "" if _subtype(reply) is not None else f"VeNCrypt without TLS: {reply[2:].hex()}"


def _choose(reply: bytes) -> bytes:
    return struct.pack(">I", _subtype(reply) or 0)


VNC = (
    Step(b"", sized(_rfb_version), _rfb_new),
    Step(_rfb_answer, sized(_security_types), _has_vencrypt),
    Step(bytes([_VENCRYPT]), octets(2), lambda reply: "" if reply >= b"\0\2" else "VeNCrypt older than 0.2"),
    Step(b"\0\2", sized(_subtypes), _has_tls),
    Step(_choose, octets(1), lambda reply: "" if reply == b"\1" else "the server refuses the subtype it offered"),
)

# OpenVPN over TCP: both sides reset; TLS then travels in control packets (``envelopes.OpenVpn``).

HARD_RESET_CLIENT, HARD_RESET_SERVER, CONTROL, ACK = 7, 8, 4, 5
# Any number but zero: a connection has one session.
OPENVPN_SESSION = b"tlswire\0"


def openvpn_packet(opcode: int, body: bytes) -> bytes:
    """One packet as TCP carries it: length, opcode and key 0, our session, ``body``."""
    return struct.pack(">HB", 9 + len(body), opcode << 3) + OPENVPN_SESSION + body


def _openvpn_reset(data: bytes) -> int:
    """Packets up to the server's hard reset; acknowledgements may come before."""
    at = 0
    while len(data) >= at + 3:
        length, opcode = 2 + int.from_bytes(data[at : at + 2], "big"), data[at + 2] >> 3
        if opcode not in {HARD_RESET_SERVER, ACK} or not 14 <= length <= 1 << 12:
            return NEVER
        if len(data) < at + length:
            return 0
        at += length
        if opcode == HARD_RESET_SERVER:
            return at
    return 0


OPENVPN = (Step(openvpn_packet(HARD_RESET_CLIENT, b"\0" + bytes(4)), sized(_openvpn_reset)),)
