"""DOOR: what was spoken before TLS, one row a protocol: STARTTLS dialogues, proxies, wrappers.

TLS itself is found by its own bytes, whatever came before (``capture.tls``); the rows here only give the dialogue its
name. Must not import anything of tlswire.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple


class Preamble(NamedTuple):
    """``client`` and ``server`` are patterns of what either side said first; None where anything goes."""

    name: str
    client: bytes | None
    server: bytes | None = None

    def fits(self, client: bytes, server: bytes) -> bool:
        """Whether both sides began as this row says."""
        return _begins(self.client, client) and _begins(self.server, server)


def _begins(pattern: bytes | None, said: bytes) -> bool:
    return pattern is None or _compiled(pattern).match(said) is not None


@cache
def _compiled(pattern: bytes) -> re.Pattern[bytes]:
    # Only when a dialogue comes: compiling all rows costs more than many a small capture.
    return re.compile(pattern, re.DOTALL | re.IGNORECASE)


_STARTTLS = rb"(?:.*\n)?STARTTLS\r\n"

# Tried in order; the first row whose patterns are found at the beginning of their sides names the protocol. What holds
# another dialogue comes first (proxies), then what one side tells alone (the other may not have been captured).
ROWS: tuple[Preamble, ...] = (
    Preamble("http-connect", rb"CONNECT \S+ HTTP/1"),  # RFC 9110 section 9.3.6
    Preamble("http-upgrade", rb"[A-Z]+ \S+ HTTP/1\.[01]\r\n(?:.*\r\n)?Upgrade:[^\r]*TLS/"),  # RFC 2817
    Preamble("http", rb"(?:GET|POST|HEAD|OPTIONS|PUT|DELETE|PATCH) "),
    Preamble("proxy-protocol", rb"PROXY (?:TCP[46]|UNKNOWN)|\r\n\r\n\x00\r\nQUIT\n"),
    Preamble("socks5", rb"\x05[\x01-\x09]", rb"\x05"),  # RFC 1928
    Preamble("socks5", rb"\x05(?:\x01\x00|\x02\x00[\x01\x02])\x05\x01\x00[\x01\x03\x04]"),
    Preamble("socks4", rb"\x04\x01.{6}[^\x00]{0,255}\x00"),
    Preamble("lmtp", rb"(?:.*\n)?LHLO "),  # RFC 2033
    Preamble("lmtp", None, rb"220[ -][^\r\n]*LMTP"),
    Preamble("smtp", rb"(?:.*\n)?(?:EHLO|HELO) "),  # RFC 3207
    Preamble("smtp", None, rb"220[ -](?:[^\r\n]*SMTP|.*\n250[ -])"),
    Preamble("smtp", _STARTTLS, rb"220[ -]"),
    Preamble("ftp", rb"(?:.*\n)?AUTH (?:TLS|SSL)"),  # RFC 4217
    Preamble("ftp", None, rb"(?:220[ -].*\n)?234[ -]"),
    Preamble("imap", None, rb"\* (?:OK|PREAUTH|BYE)"),  # RFC 9051
    Preamble("imap", rb"(?:.*\n)?[^\s*+]+ STARTTLS\r\n"),
    Preamble("pop3", None, rb"\+OK"),  # RFC 2595
    Preamble("pop3", rb"(?:.*\n)?STLS\r\n"),
    Preamble("nntp", None, rb"(?:20[01][ -].*\n)?382[ -]"),  # RFC 4642
    Preamble("nntp", _STARTTLS, rb"20[01][ -]"),
    Preamble("irc", None, rb"(?:.*\n)?(?::\S+ )?670 "),  # IRCv3 tls
    Preamble("irc", rb"CAP (?:LS|REQ)|NICK "),  # RFC 1459, IRCv3 capability negotiation
    Preamble("irc", _STARTTLS, rb"(?::\S+ )?NOTICE "),
    # RFC 5804 section 1.7
    Preamble("sieve", None, rb'"(?:IMPLEMENTATION|SASL|SIEVE|STARTTLS|MAXREDIRECTS|NOTIFY|LANGUAGE|OWNER|VERSION)"'),
    Preamble("xmpp", rb"\s*(?:<\?xml[^>]*>\s*)?<stream:stream"),  # RFC 6120
    Preamble("xmpp", None, rb"\s*(?:<\?xml[^>]*>\s*)?<stream:stream"),
    # SSLRequest, perhaps after GSSENCRequest: PostgreSQL 55.7
    Preamble("postgres", rb"(?:\x00{3}\x08\x04\xd2\x16\x30)?\x00{3}\x08\x04\xd2\x16\x2f"),
    Preamble("mysql", None, rb"..\x00\x00[\x09\x0a][\x20-\x7e]{2}"),
    Preamble("mysql", rb"\x20\x00\x00\x01.{9}\x00{19}"),  # SSLRequest of protocol 4.1
    Preamble("ldap", rb"\x30.{1,5}\x02.*\x77.{2,11}1\.3\.6\.1\.4\.1\.1466\.20037"),  # RFC 4511 section 4.14
    Preamble("ldap", None, rb"\x30.{1,5}\x02.{2,5}\x78"),
    Preamble("rdp", rb"\x03\x00..[\x06-\xff]\xe0"),  # MS-RDPBCGR 2.2.1.1
    Preamble("rdp", None, rb"\x03\x00..[\x06-\xff]\xd0"),  # MS-RDPBCGR 2.2.1.2
    Preamble("tds", rb"\x12\x01..\x00\x00.\x00"),  # PRELOGIN: MS-TDS 2.2.6.5; the handshake goes on in such packets
    Preamble("telnet", None, rb"\xff[\xfa-\xfe]"),  # draft-altman-telnet-starttls
    Preamble("telnet", rb"\xff[\xfa-\xfe]"),
    Preamble("vnc", rb"RFB \d{3}\.\d{3}\n"),  # VeNCrypt: RFC 6143 section 7.1.1
    Preamble("vnc", None, rb"RFB \d{3}\.\d{3}\n"),
    Preamble("amqp", rb"AMQP\x02"),  # AMQP 1.0 section 5.2.1
    Preamble("nats", None, rb"INFO \{"),
    Preamble("nbd", None, rb"NBDMAGICIHAVEOPT"),
)


def name_of(client: bytes, server: bytes) -> str:
    """The name of a dialogue, ``unknown`` where no row fits."""
    return next((row.name for row in ROWS if row.fits(client, server)), "unknown")
