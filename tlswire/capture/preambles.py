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


# Tried in order; the first row whose patterns are found at the beginning of their sides names the protocol.
ROWS: tuple[Preamble, ...] = (
    _row("http-connect", rb"CONNECT \S+ HTTP/1"),  # RFC 9110 section 9.3.6
    _row("http-upgrade", rb"(?:[A-Z]+) \S+ HTTP/1\.[01]\r\n.*\r\nUpgrade:[^\r]*TLS/"),  # RFC 2817
    _row("socks5", rb"\x05[\x01-\x09]"),  # RFC 1928
    _row("socks4", rb"\x04\x01"),
    _row("proxy-protocol", rb"PROXY (?:TCP[46]|UNKNOWN)|\r\n\r\n\x00\r\nQUIT\n"),
    _row("lmtp", rb"(?:.*\n)?LHLO ", None),  # RFC 2033
    _row("smtp", rb".*?(?:EHLO|HELO) ", rb"220[ -]"),  # RFC 3207
    _row("ftp", rb".*?AUTH (?:TLS|SSL)", rb"(?:220|234)[ -]"),  # RFC 4217
    _row("imap", None, rb"\* (?:OK|PREAUTH|BYE)"),  # RFC 9051
    _row("pop3", None, rb"\+OK"),  # RFC 2595
    _row("nntp", rb".*?STARTTLS", rb"20[01][ -]"),  # RFC 4642
    _row("irc", rb".*?(?:STARTTLS|CAP |NICK )", rb"(?::\S+ |)(?:670|NOTICE|CAP)"),  # RFC 1459, IRCv3 tls
    _row("sieve", None, rb'"(?:IMPLEMENTATION|SIEVE|STARTTLS|SASL)"'),  # RFC 5804
    _row("xmpp", rb"\s*(?:<\?xml[^>]*>\s*)?<stream:stream"),  # RFC 6120
    _row("postgres", rb"\x00\x00\x00\x08\x04\xd2\x16\x2f"),  # SSLRequest, PostgreSQL 55.7
    _row("mysql", rb".\x00\x00\x01", rb"..\x00\x00[\x09\x0a][\x20-\x7e]"),
    _row("ldap", rb"\x30.{1,8}\x02.{1,6}\x77.{1,6}1\.3\.6\.1\.4\.1\.1466\.20037"),  # RFC 4511 section 4.14
    _row("rdp", rb"\x03\x00..[\x06-\xff]\xe0"),  # MS-RDPBCGR 2.2.1.1
    _row("smtp", None, rb"220[ -][^\r\n]*SMTP"),
    _row("telnet", None, rb"\xff[\xfb-\xfe]"),
    _row("http", rb"(?:GET|POST|HEAD|OPTIONS|PUT|DELETE|PATCH) ", None),
)


def name_of(client: bytes, server: bytes) -> str:
    """The name of a dialogue, ``unknown`` where no row fits."""
    for name, first, second in ROWS:
        if (first is None or first.match(client)) and (second is None or second.match(server)):
            return name
    return "unknown"
