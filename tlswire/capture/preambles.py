"""DOOR: what was spoken before TLS, one row a protocol: STARTTLS dialogues, proxies, wrappers.

TLS itself is found by its own bytes, whatever came before (``capture.tls``); the rows here only give the dialogue its
name. Must not import anything of tlswire.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Preamble(NamedTuple):
    """``client`` and ``server`` are patterns of what either side said first; None where anything goes."""

    name: str
    client: re.Pattern[bytes] | None
    server: re.Pattern[bytes] | None


def _row(name: str, client: bytes | None, server: bytes | None = None) -> Preamble:
    flags = re.DOTALL | re.IGNORECASE
    return Preamble(name, client and re.compile(client, flags), server and re.compile(server, flags))  # type: ignore[arg-type]


_STARTTLS = rb"(?:.*\n)?STARTTLS\r\n"

# Tried in order; the first row whose patterns are found at the beginning of their sides names the protocol. What holds
# another dialogue comes first (proxies), then what one side tells alone (the other may not have been captured).
ROWS: tuple[Preamble, ...] = (
    _row("http-connect", rb"CONNECT \S+ HTTP/1"),  # RFC 9110 section 9.3.6
    _row("http-upgrade", rb"[A-Z]+ \S+ HTTP/1\.[01]\r\n(?:.*\r\n)?Upgrade:[^\r]*TLS/"),  # RFC 2817
    _row("http", rb"(?:GET|POST|HEAD|OPTIONS|PUT|DELETE|PATCH) "),
    _row("proxy-protocol", rb"PROXY (?:TCP[46]|UNKNOWN)|\r\n\r\n\x00\r\nQUIT\n"),
    _row("socks5", rb"\x05[\x01-\x09]", rb"\x05"),  # RFC 1928
    _row("socks5", rb"\x05(?:\x01\x00|\x02\x00[\x01\x02])\x05\x01\x00[\x01\x03\x04]"),
    _row("socks4", rb"\x04\x01.{6}[^\x00]{0,255}\x00"),
    _row("lmtp", rb"(?:.*\n)?LHLO "),  # RFC 2033
    _row("lmtp", None, rb"220[ -][^\r\n]*LMTP"),
    _row("smtp", rb"(?:.*\n)?(?:EHLO|HELO) "),  # RFC 3207
    _row("smtp", None, rb"220[ -](?:[^\r\n]*SMTP|.*\n250[ -])"),
    _row("smtp", _STARTTLS, rb"220[ -]"),
    _row("ftp", rb"(?:.*\n)?AUTH (?:TLS|SSL)"),  # RFC 4217
    _row("ftp", None, rb"(?:220[ -].*\n)?234[ -]"),
    _row("imap", None, rb"\* (?:OK|PREAUTH|BYE)"),  # RFC 9051
    _row("imap", rb"(?:.*\n)?[^\s*+]+ STARTTLS\r\n"),
    _row("pop3", None, rb"\+OK"),  # RFC 2595
    _row("pop3", rb"(?:.*\n)?STLS\r\n"),
    _row("nntp", None, rb"(?:20[01][ -].*\n)?382[ -]"),  # RFC 4642
    _row("nntp", _STARTTLS, rb"20[01][ -]"),
    _row("irc", None, rb"(?:.*\n)?(?::\S+ )?670 "),  # IRCv3 tls
    _row("irc", rb"CAP (?:LS|REQ)|NICK "),  # RFC 1459, IRCv3 capability negotiation
    _row("irc", _STARTTLS, rb"(?::\S+ )?NOTICE "),
    # RFC 5804 section 1.7
    _row("sieve", None, rb'"(?:IMPLEMENTATION|SASL|SIEVE|STARTTLS|MAXREDIRECTS|NOTIFY|LANGUAGE|OWNER|VERSION)"'),
    _row("xmpp", rb"\s*(?:<\?xml[^>]*>\s*)?<stream:stream"),  # RFC 6120
    _row("xmpp", None, rb"\s*(?:<\?xml[^>]*>\s*)?<stream:stream"),
    # SSLRequest, perhaps after GSSENCRequest: PostgreSQL 55.7
    _row("postgres", rb"(?:\x00{3}\x08\x04\xd2\x16\x30)?\x00{3}\x08\x04\xd2\x16\x2f"),
    _row("mysql", None, rb"..\x00\x00[\x09\x0a][\x20-\x7e]{2}"),
    _row("mysql", rb"\x20\x00\x00\x01.{9}\x00{19}"),  # SSLRequest of protocol 4.1
    _row("ldap", rb"\x30.{1,5}\x02.*\x77.{2,11}1\.3\.6\.1\.4\.1\.1466\.20037"),  # RFC 4511 section 4.14
    _row("ldap", None, rb"\x30.{1,5}\x02.{2,5}\x78"),
    _row("rdp", rb"\x03\x00..[\x06-\xff]\xe0"),  # MS-RDPBCGR 2.2.1.1
    _row("rdp", None, rb"\x03\x00..[\x06-\xff]\xd0"),  # MS-RDPBCGR 2.2.1.2
    _row("tds", rb"\x12\x01..\x00\x00.\x00"),  # PRELOGIN: MS-TDS 2.2.6.5; the handshake goes on in such packets
    _row("telnet", None, rb"\xff[\xfa-\xfe]"),  # draft-altman-telnet-starttls
    _row("telnet", rb"\xff[\xfa-\xfe]"),
    _row("vnc", rb"RFB \d{3}\.\d{3}\n"),  # VeNCrypt: RFC 6143 section 7.1.1
    _row("vnc", None, rb"RFB \d{3}\.\d{3}\n"),
    _row("amqp", rb"AMQP\x02"),  # AMQP 1.0 section 5.2.1
    _row("nats", None, rb"INFO \{"),
    _row("nbd", None, rb"NBDMAGICIHAVEOPT"),
)


def name_of(client: bytes, server: bytes) -> str:
    """The name of a dialogue, ``unknown`` where no row fits."""
    for name, first, second in ROWS:
        if (first is None or first.match(client)) and (second is None or second.match(server)):
            return name
    return "unknown"
