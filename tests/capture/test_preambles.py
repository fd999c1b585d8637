"""What is spoken before TLS: every dialogue as its specification has it, TLS behind it, and the name it is given."""

from __future__ import annotations

import re
import struct
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlswire.capture.preambles import ROWS, name_of
from tlswire.capture.tls import _MARK

from .made import CLIENT, SERVER, SSLV2_FRAMED, Turn, Wire, answer, gist, hello, one, read, turns, whole

if TYPE_CHECKING:
    from tlswire.results.session import Session

WHOLE = gist(one(whole()))
PORTS = (50000, 31337)  # that says nothing
C, S = CLIENT, SERVER


class Dialogue(NamedTuple):
    """Who says what until the client's next words are a ClientHello; ``name`` is what it is called."""

    id: str
    name: str
    turns: tuple[Turn, ...]

    def said(self, side: int) -> bytes:
        return b"".join(data for speaker, data in self.turns if speaker == side)


def lines(*said: str) -> tuple[Turn, ...]:
    """Text as its RFC prints it: ``C: `` and ``S: ``."""
    return tuple((("C", "S").index(line[0]), line[3:].encode() + b"\r\n") for line in said)


def tpkt(body: bytes) -> bytes:
    """A TPKT packet (RFC 1006 section 6) of an X.224 TPDU."""
    return struct.pack(">BBHB", 3, 0, 5 + len(body), len(body)) + body


def tds(kind: int, body: bytes) -> bytes:
    """One TDS packet (MS-TDS 2.2.3)."""
    return struct.pack(">BBHHBB", kind, 1, 8 + len(body), 0, 0, 0) + body


START_TLS = b"\x80\x161.3.6.1.4.1.1466.20037"  # [0] requestName of ExtendedRequest (RFC 4511 section 4.12)
LDAP_SHORT = b"\x30\x1d\x02\x01\x01\x77\x18" + START_TLS
# BER lengths of four bytes, as Windows writes them.
LDAP_LONG = b"\x30\x84\0\0\0\x25\x02\x01\x02\x77\x84\0\0\0\x1c\x80\x84\0\0\0\x16" + START_TLS[2:]
# A search of the root entry before it, and its two answers.
LDAP_SEARCH = bytes.fromhex(
    "30250201016320040 00a01000a0100020100020100010100870b6f626a656374636c6173733000".replace(" ", "")
)
LDAP_ENTRY = bytes.fromhex("300702010164020400") + bytes.fromhex("300c02010165070a010004000400")
LDAP_YES = bytes.fromhex("300c02010178070a010004000400")
LDAP_YES_LONG = bytes.fromhex("30840000002802010278840000001f0a010004000400") + b"\x8a\x16" + START_TLS[2:]

GREETING = b"\x0a8.0.36\0" + struct.pack("<I", 9) + b"12345678\0" + b"\xff\xff\xff\x02\0\xff\xdf\x15" + bytes(10)
GREETING += b"abcdefghijkl\0caching_sha2_password\0"
MARIADB = b"\x0a5.5.5-10.11.6-MariaDB\0" + GREETING[8:]
# Capabilities with CLIENT_SSL, the largest packet, a character set, 23 bytes of filler.
MYSQL_SSL = b"\x20\0\0\1" + struct.pack("<IIB", 0x00AEAE85, 1 << 24, 45) + bytes(23)
MARIADB_SSL = b"\x20\0\0\1" + struct.pack("<IIB", 0x00AEAE84, 1 << 30, 45) + bytes(19) + b"\x1d\0\0\0"

XML = "<?xml version='1.0'?>"
STREAM = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='im.example' version='1.0'>"
FEATURES = "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>"
PROCEED = (
    (C, b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
    (S, b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
)

PRELOGIN = b"\0\0\x0b\0\6\1\0\x11\0\1\xff" + bytes(6) + b"\1"  # VERSION, ENCRYPTION = ENCRYPT_ON, TERMINATOR

DIALOGUES = (
    Dialogue("smtp", "smtp", lines(
        "S: 220 mail.imc.org SMTP service ready", "C: EHLO mail.example.com",
        "S: 250-mail.imc.org offers a warm hug of welcome\r\n250-8BITMIME\r\n250-STARTTLS\r\n250 DSN",
        "C: STARTTLS", "S: 220 Go ahead",
    )),  # RFC 3207 section 5
    Dialogue("smtp-plain-banner", "smtp", lines(
        "S: 220-mail.example\r\n220 ready", "C: ehlo client", "S: 250-mail.example\r\n250 STARTTLS",
        "C: starttls", "S: 220 2.0.0 Ready to start TLS",
    )),
    Dialogue("smtp-second-try", "smtp", lines(
        "S: 220 mail.example ready", "C: NOOP", "S: 250 2.0.0 Ok", "C: EHLO client.example",
        "S: 250-mail.example\r\n250 STARTTLS", "C: STARTTLS", "S: 220 go",
    )),
    Dialogue("smtp-seen-late", "smtp", lines("C: STARTTLS", "S: 220 2.0.0 Ready to start TLS")),
    Dialogue("lmtp", "lmtp", lines(
        "S: 220 foo.edu LMTP server ready", "C: LHLO foo.edu", "S: 250-foo.edu\r\n250 STARTTLS", "C: STARTTLS",
        "S: 220 go ahead",
    )),  # RFC 2033 section 4
    Dialogue("ftp", "ftp", lines("S: 220 files.example ready", "C: AUTH TLS", "S: 234 AUTH TLS successful")),
    Dialogue("ftp-feat", "ftp", lines(
        "S: 220-Welcome\r\n220 to files.example", "C: FEAT", "S: 211-Features:\r\n AUTH TLS\r\n211 End", "C: AUTH SSL",
        "S: 234 Proceed with negotiation.",
    )),  # RFC 4217 section 12
    Dialogue("imap", "imap", lines(
        "S: * OK [CAPABILITY IMAP4rev2 STARTTLS LOGINDISABLED] IMAP4rev2 Service Ready", "C: a001 STARTTLS",
        "S: a001 OK Begin TLS negotiation now",
    )),  # RFC 9051 section 6.2.1
    Dialogue("imap-capability", "imap", lines(
        "S: * OK ready", "C: a CAPABILITY", "S: * CAPABILITY IMAP4rev1 STARTTLS\r\na OK done", "C: b starttls",
        "S: b OK begin",
    )),
    Dialogue("imap-seen-late", "imap", lines("C: a002 STARTTLS", "S: a002 OK Begin TLS negotiation now")),
    Dialogue("pop3", "pop3", lines("S: +OK ready <1896.697170952@mail.example>", "C: STLS", "S: +OK Begin TLS negotiation")),
    Dialogue("pop3-capa", "pop3", lines(
        "S: +OK ready", "C: CAPA", "S: +OK\r\nSTLS\r\n.", "C: STLS", "S: +OK Begin TLS negotiation",
    )),  # RFC 2595 section 4
    Dialogue("nntp", "nntp", lines(
        "S: 200 news.example ready", "C: CAPABILITIES", "S: 101 Capability list:\r\nVERSION 2\r\nREADER\r\nSTARTTLS\r\n.",
        "C: STARTTLS", "S: 382 Continue with TLS negotiation",
    )),  # RFC 4642 section 2.2.3
    Dialogue("nntp-no-posting", "nntp", lines("S: 201 no posting", "C: STARTTLS", "S: 382 go")),
    Dialogue("nntp-long-list", "nntp", lines(
        "S: 200 news.example ready", "C: CAPABILITIES", "S: 101 list\r\n" + "X-SOMETHING-ELSE\r\n" * 80 + "STARTTLS\r\n.",
        "C: STARTTLS", "S: 382 go",
    )),
    Dialogue("irc", "irc", lines("C: STARTTLS", "S: :irc.example 670 * :STARTTLS successful, proceed with TLS handshake")),
    Dialogue("irc-cap", "irc", lines(
        "S: :irc.example NOTICE * :*** Looking up your hostname", "C: CAP LS 302", "S: :irc.example CAP * LS :tls",
        "C: STARTTLS", "S: :irc.example 670 someone :STARTTLS successful",
    )),
    Dialogue("irc-notice", "irc", lines("S: NOTICE AUTH :*** Checking ident", "C: STARTTLS", "S: 670 * :go on")),
    Dialogue("irc-long-notices", "irc", (
        *lines(*("S: NOTICE AUTH :*** Looking up your hostname, which may take a while",) * 20, "C: STARTTLS"),
        *lines("S: :irc.example 670 * :STARTTLS successful"),
    )),
    Dialogue("sieve", "sieve", lines(
        'S: "IMPLEMENTATION" "Example1 ManageSieved v001"', 'S: "SIEVE" "fileinto vacation"', 'S: "STARTTLS"',
        'S: "VERSION" "1.0"\r\nOK', "C: STARTTLS", "S: OK",
    )),  # RFC 5804 section 2.2
    Dialogue("sieve-other-order", "sieve", lines(
        'S: "VERSION" "1.0"\r\n"STARTTLS"\r\n"IMPLEMENTATION" "x"\r\nOK', "C: STARTTLS", 'S: OK "Begin TLS"',
    )),
    Dialogue("xmpp", "xmpp", (*lines(f"C: {XML}{STREAM}", f"S: {XML}{STREAM}{FEATURES}"), *PROCEED)),  # RFC 6120 9.1
    Dialogue("xmpp-server", "xmpp", (
        *lines(f"C: {STREAM}".replace("client", "server"), f"S: {STREAM}{FEATURES}".replace("client", "server")), *PROCEED,
    )),
    Dialogue("ldap", "ldap", ((C, LDAP_SHORT), (S, LDAP_YES))),
    Dialogue("ldap-windows", "ldap", ((C, LDAP_LONG), (S, LDAP_YES_LONG))),
    Dialogue("ldap-after-a-search", "ldap", (
        (C, LDAP_SEARCH), (S, LDAP_ENTRY), (C, LDAP_SHORT.replace(b"\2\1\1", b"\2\1\2")), (S, LDAP_YES),
    )),
    Dialogue("postgres", "postgres", ((C, struct.pack(">II", 8, 80877103)), (S, b"S"))),
    Dialogue("postgres-gss", "postgres", (
        (C, struct.pack(">II", 8, 80877104)), (S, b"N"), (C, struct.pack(">II", 8, 80877103)), (S, b"S"),
    )),
    Dialogue("mysql", "mysql", ((S, struct.pack("<I", len(GREETING)) + GREETING), (C, MYSQL_SSL))),
    Dialogue("mariadb", "mysql", ((S, struct.pack("<I", len(MARIADB)) + MARIADB), (C, MARIADB_SSL))),
    Dialogue("rdp", "rdp", (
        (C, tpkt(b"\xe0\0\0\0\0\0Cookie: mstshash=eltons\r\n\1\0\x08\0\3\0\0\0")),
        (S, tpkt(b"\xd0\0\0\x12\x34\0\2\0\x08\0\1\0\0\0")),
    )),  # MS-RDPBCGR 4.1.1 and 4.1.2
    Dialogue("rdp-no-cookie", "rdp", (
        (C, tpkt(b"\xe0\0\0\0\0\0\1\0\x08\0\x0b\0\0\0")), (S, tpkt(b"\xd0\0\0\x12\x34\0\2\x1f\x08\0\2\0\0\0")),
    )),
    Dialogue("tds", "tds", ((C, tds(0x12, PRELOGIN)), (S, tds(4, PRELOGIN)))),
    Dialogue("telnet", "telnet", (
        (S, b"\xff\xfd\x2e"), (C, b"\xff\xfb\x2e"), (C, b"\xff\xfa\x2e\1\xff\xf0"), (S, b"\xff\xfa\x2e\1\xff\xf0"),
    )),
    Dialogue("telnet-client-first", "telnet", (
        (C, b"\xff\xfb\x2e"), (S, b"\xff\xfd\x2e\xff\xfa\x2e\1\xff\xf0"), (C, b"\xff\xfa\x2e\1\xff\xf0"),
    )),
    Dialogue("vnc-vencrypt", "vnc", (
        (S, b"RFB 003.008\n"), (C, b"RFB 003.008\n"), (S, b"\1\x13"), (C, b"\x13"), (S, b"\0\2"), (C, b"\0\2"),
        (S, b"\0\1\0\0\1\4"), (C, b"\0\0\1\4"), (S, b"\1"),
    )),
    Dialogue("amqp", "amqp", ((C, b"AMQP\2\1\0\0"), (S, b"AMQP\2\1\0\0"))),
    Dialogue("nats", "nats", ((S, b'INFO {"server_id":"x","version":"2.10.0","tls_required":true}\r\n'),)),
    Dialogue("nbd", "nbd", (
        (S, b"NBDMAGICIHAVEOPT\0\3"), (C, b"\0\0\0\3IHAVEOPT\0\0\0\5\0\0\0\0"),
        (S, b"\0\3\xe8\x89\x04\x55\x65\xa9\0\0\0\5\0\0\0\1\0\0\0\0"),
    )),
    Dialogue("http-connect", "http-connect", lines(
        "C: CONNECT server.example.com:443 HTTP/1.1\r\nHost: server.example.com\r\n", "S: HTTP/1.1 200 OK\r\n",
    )),  # RFC 9110 section 9.3.6
    Dialogue("http-connect-authorised", "http-connect", lines(
        "C: CONNECT server.example.com:443 HTTP/1.1\r\nHost: server.example.com\r\n",
        "S: HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n",
        "C: CONNECT server.example.com:443 HTTP/1.1\r\nProxy-Authorization: Basic eDp5\r\n",
        "S: HTTP/1.1 200 Connection established\r\n",
    )),
    Dialogue("http-connect-to-mail", "http-connect", lines(
        "C: CONNECT mail.example:25 HTTP/1.0\r\n", "S: HTTP/1.0 200 OK\r\n", "S: 220 mail.example ESMTP", "C: EHLO me",
        "S: 250 STARTTLS", "C: STARTTLS", "S: 220 go",
    )),
    Dialogue("http-upgrade", "http-upgrade", lines(
        "C: OPTIONS * HTTP/1.1\r\nHost: example.bank.com\r\nUpgrade: TLS/1.0\r\nConnection: Upgrade\r\n",
        "S: HTTP/1.1 101 Switching Protocols\r\nUpgrade: TLS/1.0, HTTP/1.1\r\nConnection: Upgrade\r\n",
    )),  # RFC 2817 section 3
    Dialogue("http-upgrade-first-header", "http-upgrade", lines(
        "C: GET /printers/x HTTP/1.1\r\nUpgrade: HTTP/2.0, TLS/1.2\r\nConnection: Upgrade\r\n",
        "S: HTTP/1.1 101 Switching Protocols\r\nUpgrade: TLS/1.2\r\n",
    )),
    Dialogue("socks5", "socks5", (
        (C, b"\5\1\0"), (S, b"\5\0"), (C, b"\5\1\0\3\x0bexample.com\1\xbb"), (S, b"\5\0\0\1\x7f\0\0\1\x10\x92"),
    )),  # RFC 1928 sections 3 to 6
    Dialogue("socks5-password", "socks5", (
        (C, b"\5\2\0\2"), (S, b"\5\2"), (C, b"\1\4user\4pass"), (S, b"\1\0"), (C, b"\5\1\0\1\xc0\0\2\1\1\xbb"),
        (S, b"\5\0\0\1" + bytes(6)),
    )),  # RFC 1929
    Dialogue("socks4", "socks4", ((C, b"\4\1\1\xbb\xc0\0\2\1user\0"), (S, b"\0\x5a" + bytes(6)))),
    Dialogue("socks4a", "socks4", ((C, b"\4\1\1\xbb\0\0\0\1\0www.example.com\0"), (S, b"\0\x5a\1\xbb\0\0\0\0"))),
    Dialogue("proxy-1", "proxy-protocol", ((C, b"PROXY TCP4 192.0.2.1 192.0.2.2 40000 443\r\n"),)),
    Dialogue("proxy-1-unknown", "proxy-protocol", ((C, b"PROXY UNKNOWN\r\n"),)),
    Dialogue("proxy-2", "proxy-protocol", (
        (C, b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\2\1\xc0\0\2\2\x9c\x40\1\xbb"),
    )),
    Dialogue("proxy-2-local", "proxy-protocol", ((C, b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"),)),
    Dialogue("proxy-1-to-mail", "proxy-protocol", (
        (C, b"PROXY TCP6 ::1 ::1 1 25\r\n"), *lines("S: 220 x ESMTP", "C: EHLO x", "S: 250 STARTTLS", "C: STARTTLS", "S: 220 go"),
    )),
    Dialogue("unheard-of", "unknown", ((C, b"UPGRADE PLEASE\n"), (S, b"FINE\n"))),
)  # fmt: skip

EACH = pytest.mark.parametrize("dialogue", DIALOGUES, ids=lambda dialogue: dialogue.id)


def behind(dialogue: Dialogue, *, size: int = 1400, joined: bool = False) -> Session:
    """The session of a TLS handshake behind a dialogue; ``joined``: the hello comes with the client's last words."""
    said = [*dialogue.turns, *turns()]
    if joined:
        at = max(at for at, (side, _) in enumerate(dialogue.turns) if side == CLIENT)
        said[at] = (CLIENT, dialogue.turns[at][1] + hello())
        del said[len(dialogue.turns)]
    wire = Wire(ports=PORTS)
    # One after the other, as in a dialogue: many segments may be cut from each turn.
    return one([*wire.opening(), *wire.talk(*said, size=size), *wire.closing()])


def same(session: Session, name: str) -> bool:
    found = gist(session)
    known = (found.hellos, found.server_hellos, found.certificates, found.outcome, found.notes)
    wanted = (WHOLE.hellos, WHOLE.server_hellos, WHOLE.certificates, WHOLE.outcome, WHOLE.notes)
    return (session.protocol, known) == (name, wanted)


@EACH
@pytest.mark.parametrize("size", [1, 3, 10, 1400])
def test_tls_behind_a_dialogue_is_found_and_the_dialogue_named(dialogue: Dialogue, size: int) -> None:
    assert same(behind(dialogue, size=size), dialogue.name)


@pytest.mark.parametrize("dialogue", [it for it in DIALOGUES if it.said(CLIENT)], ids=lambda dialogue: dialogue.id)
def test_a_hello_in_one_segment_with_the_last_words_is_found(dialogue: Dialogue) -> None:
    assert same(behind(dialogue, joined=True), dialogue.name)


@EACH
@pytest.mark.parametrize("cut", range(1, 14))
def test_a_hello_that_begins_at_the_end_of_a_segment_is_found(dialogue: Dialogue, cut: int) -> None:
    wire = Wire(ports=PORTS)
    last = b"".join(data for side, data in dialogue.turns[-1:] if side == CLIENT)
    before = dialogue.turns[:-1] if last else dialogue.turns
    first = hello()
    said = [*before, (CLIENT, last + first[:cut]), (CLIENT, first[cut:]), *turns()[1:]]
    assert same(one([*wire.opening(), *wire.talk(*said), *wire.closing()]), dialogue.name)


@EACH
def test_a_refusal_behind_a_dialogue_is_told(dialogue: Dialogue) -> None:
    wire = Wire(ports=PORTS)
    frames = [*wire.opening(), *wire.talk(*dialogue.turns, (C, hello()), (S, b"\x15\x03\x03\0\2\2\x28"))]
    session = one(frames + wire.closing())
    assert (session.outcome, session.protocol) == ("alert", dialogue.name)


@EACH
def test_tls_that_is_not_answered_has_its_dialogue(dialogue: Dialogue) -> None:
    wire = Wire(ports=PORTS)
    session = one([*wire.opening(), *wire.talk(*dialogue.turns, (C, hello()))])
    assert (session.outcome, session.protocol) == ("unanswered", dialogue.name)


@EACH
@pytest.mark.parametrize("side", [CLIENT, SERVER])
def test_one_side_of_a_dialogue_is_never_named_as_another(dialogue: Dialogue, side: int) -> None:
    said = dialogue.said(side)
    assert name_of(*((said, b"") if side == CLIENT else (b"", said))) in {dialogue.name, "unknown"} | _inside(dialogue)
    wire = Wire(ports=PORTS)
    kept = [wire.opening()[side]]
    for speaker, data in (*dialogue.turns, *turns()):
        frames = wire.talk((speaker, data))
        kept += frames if speaker == side else []
    session = one([*kept, wire.reset(side)])
    named = {dialogue.name, "unknown"} | _inside(dialogue)
    assert session.protocol in (named if said else {None})


@EACH
@pytest.mark.parametrize("missed", [1, 2, 3])
def test_the_end_of_a_dialogue_is_never_named_as_another(dialogue: Dialogue, missed: int) -> None:
    rest = dialogue._replace(turns=dialogue.turns[missed:])
    if rest.turns:
        assert name_of(rest.said(CLIENT), rest.said(SERVER)) in {dialogue.name, "unknown"} | _inside(dialogue)


def _inside(dialogue: Dialogue) -> set[str]:
    """What the end of a dialogue does not show: the proxy before it, or the greeting in which LMTP differs."""
    return {"smtp"} if dialogue.id.endswith("-to-mail") or dialogue.name == "lmtp" else set()


# Sides that tell the protocol alone.
ALONE = {
    CLIENT: {
        *("smtp", "lmtp", "ftp", "imap", "pop3", "irc-cap", "xmpp", "ldap", "postgres", "mysql", "rdp", "tds"),
        *("telnet", "amqp", "http-connect", "http-upgrade", "socks5", "socks4", "proxy-1", "proxy-2", "vnc-vencrypt"),
    },
    SERVER: {
        *("smtp", "smtp-plain-banner", "lmtp", "ftp", "imap", "pop3", "nntp", "irc", "sieve", "xmpp", "ldap", "mysql"),
        *("rdp", "telnet", "vnc-vencrypt", "nats", "nbd"),
    },
}


@pytest.mark.parametrize(("side", "which"), [(side, which) for side, names in ALONE.items() for which in sorted(names)])
def test_one_side_may_tell_the_protocol(side: int, which: str) -> None:
    dialogue = next(item for item in DIALOGUES if item.id == which)
    said = dialogue.said(side)
    assert name_of(*((said, b"") if side == CLIENT else (b"", said))) == dialogue.name


def test_every_row_is_needed() -> None:
    used = set()
    for dialogue in DIALOGUES:
        client, server = dialogue.said(CLIENT)[:_MARK], dialogue.said(SERVER)[:_MARK]
        used |= {_row_of(client, server), _row_of(client, b""), _row_of(b"", server)}
        rest = dialogue._replace(turns=dialogue.turns[1:])
        used.add(_row_of(rest.said(CLIENT), rest.said(SERVER)))
    # Plain HTTP is no dialogue that leads to TLS: it is there to be told from those that do.
    used.add(_row_of(b"GET / HTTP/1.1\r\nHost: www.example\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"))
    assert used - {None} == set(range(len(ROWS)))


def _row_of(client: bytes, server: bytes) -> int | None:
    return next((number for number, row in enumerate(ROWS) if row.fits(client, server)), None)


def test_nothing_at_all_is_unknown() -> None:
    assert name_of(b"", b"") == "unknown"


@settings(max_examples=300, deadline=None, database=None, derandomize=True)
@given(client=st.binary(max_size=40), server=st.binary(max_size=40))
def test_random_words_have_a_name_or_none(client: bytes, server: bytes) -> None:
    assert name_of(client, server) in {row.name for row in ROWS} | {"unknown"}


def test_patterns_take_linear_time() -> None:
    # Each row against what makes it try hardest, at the most that is kept of a side.
    for filler in (b"\n", b"a\n", b"a ", b"\0", b"220 x\n", b":a \n", b"EHLO\n", b"\x30\x02\x77", b"STARTTLS\r"):
        said = (filler * _MARK)[:_MARK]
        for prefix in (b"", b"220-", b"20\x30 ", b"\x30\2\x02", b"\4\1" + bytes(6), b"GET / HTTP/1.1\r\n"):
            assert isinstance(name_of((prefix + said)[:_MARK], (prefix + said)[:_MARK]), str)


def test_rows_are_named_as_people_write_protocols() -> None:
    assert all(re.fullmatch(r"[a-z][a-z0-9]*(-[a-z]+)?", row.name) for row in ROWS)
    assert all(row.client is not None or row.server is not None for row in ROWS)


def test_tls_without_a_dialogue_has_no_protocol() -> None:
    wire = Wire(ports=PORTS)
    assert one([*wire.opening(), *wire.talk(*turns())]).protocol is None
    wire = Wire(ports=PORTS)
    assert one([*wire.opening(), *wire.talk((C, SSLV2_FRAMED), (S, answer()))]).protocol is None


def test_a_dialogue_without_tls_is_no_session() -> None:
    for dialogue in DIALOGUES:
        wire = Wire(ports=PORTS)
        assert (
            read([*wire.opening(), *wire.talk(*dialogue.turns, *chain(dialogue.turns)), *wire.closing()]).sessions == []
        )
