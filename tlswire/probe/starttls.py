"""DOOR: protocols in which TLS begins in the middle of a conversation, one row each: the dialogue that leads there.

What is made of bytes rather than lines stands in ``negotiations``, TLS inside packets in ``envelopes``. Pure: no I/O.
Must not import ``transport`` or anything above ``probe``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tlswire.errors import LookupFailedError
from tlswire.probe import envelopes, negotiations
from tlswire.probe.dialogue import Step, Talk, coded, ends, line, octets, through, until
from tlswire.probe.targets import DEFAULT_PORT

if TYPE_CHECKING:
    from collections.abc import Callable

# How we introduce ourselves where a client must have a name (RFC 2606 section 3: nobody's).
CLIENT = b"tlswire.example"


class Protocol(NamedTuple):
    """One row: the port such servers usually have, the source of the dialogue, and the dialogue itself, in which
    ``{name}`` stands for the name of the server, made fit for XML. ``envelope`` makes what carries TLS afterwards, from
    the last reply; None: TLS follows as it is. ``width`` is how many connections at once such servers take from one
    address: 50 is Postfix's default, 20 Exchange's; desktops listen with hardly any backlog.
    """

    name: str
    port: int
    source: str
    steps: tuple[Step, ...]
    envelope: Callable[[bytes], envelopes.Envelope] | None = None
    width: int = 16


def _mail(hello: bytes) -> tuple[Step, ...]:
    return (
        Step(b"", coded, ends(b"220")),
        Step(hello + b" " + CLIENT + b"\r\n", coded, ends(b"250"), offers=rb"^250[ -]STARTTLS\b"),
        Step(b"STARTTLS\r\n", coded, ends(b"220")),
    )


# The greeting of ManageSieve is its list of capabilities; so is the answer to every command's end.
_SIEVE_END = rb"(?:OK|NO|BYE)\b"
# Tagged, or the end of the connection. Untagged lines may come before.
_IMAP_END = rb"a (?:OK|NO|BAD)\b|\* BYE\b"
# Success, failure, any other error, or the end; notices may come before.
_IRC_END = rb"(?::\S+ )?(?:670|691|[45]\d\d|ERROR|FAIL)\b"


def _xmpp(namespace: bytes) -> tuple[Step, ...]:
    stream = (
        b"<?xml version='1.0'?><stream:stream xmlns='%s' xmlns:stream='http://etherx.jabber.org/streams'" % namespace
    )
    gone = rb"</(?:\w+:)?error\s*>|</(?:\w+:)?stream\s*>"
    features = rb"</(?:\w+:)?features\s*>|<(?:\w+:)?features\s*/>|<(?:\w+:)?starttls\b[^<>]*>|" + gone
    proceed = rb"<(?:\w+:)?(?:proceed|failure)\b[^<>]*/>|</(?:\w+:)?(?:proceed|failure)\s*>|" + gone
    return (
        Step(
            stream + b" to='{name}' version='1.0'>",
            through(features, b"<"),
            negotiations.stream_goes_on,
            offers=rb"<(?:\w+:)?starttls\b",
        ),
        Step(
            b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", through(proceed, b"<"), negotiations.stream_proceeds
        ),
    )


PROTOCOLS: tuple[Protocol, ...] = (
    Protocol("smtp", 25, "RFC 3207 section 4", _mail(b"EHLO")),
    Protocol("lmtp", 24, "RFC 2033 section 4, RFC 3207 section 4", _mail(b"LHLO")),
    Protocol(
        "imap",
        143,
        "RFC 9051 section 6.2.1",
        (
            # The greeting may hold the capabilities (section 7.1); to ask for them would cost a round trip each time.
            Step(b"", line, ends(rb"\* OK\b"), offers=rb"\A(?!.*\[CAPABILITY )|\bSTARTTLS\b"),
            Step(b"a STARTTLS\r\n", until(_IMAP_END), ends(rb"a OK\b")),
        ),
    ),
    Protocol(
        "pop3",
        110,
        "RFC 2595 section 4",
        (Step(b"", line, ends(rb"\+OK\b")), Step(b"STLS\r\n", line, ends(rb"\+OK\b"))),
    ),
    Protocol(
        "sieve",
        4190,
        "RFC 5804 sections 1.7 and 2.2",
        (
            Step(b"", until(_SIEVE_END), ends(rb"OK\b"), offers=rb'^"?STARTTLS\b'),
            Step(b"STARTTLS\r\n", until(_SIEVE_END), ends(rb"OK\b")),
        ),
    ),
    Protocol(
        "nntp",
        119,
        "RFC 4642 section 2.2",
        (Step(b"", coded, ends(rb"20[01]")), Step(b"STARTTLS\r\n", coded, ends(b"382"))),
    ),
    Protocol(
        "ftp",
        21,
        "RFC 4217 section 4",
        (Step(b"", coded, ends(b"220")), Step(b"AUTH TLS\r\n", coded, ends(b"234"))),
    ),
    Protocol("xmpp-client", 5222, "RFC 6120 section 5.4", _xmpp(b"jabber:client")),
    Protocol("xmpp-server", 5269, "RFC 6120 section 5.4", _xmpp(b"jabber:server")),
    Protocol("ldap", 389, "RFC 4511 section 4.14", negotiations.LDAP),
    Protocol("postgres", 5432, "PostgreSQL, Frontend/Backend Protocol, SSL Session Encryption", negotiations.POSTGRES),
    Protocol("mysql", 3306, "MySQL client/server protocol, Protocol::SSLRequest", negotiations.MYSQL),
    Protocol("tds", 1433, "MS-TDS 2.2.6.5 and 3.2.5.2", negotiations.TDS, envelopes.Tds),
    Protocol("rdp", 3389, "MS-RDPBCGR 2.2.1.1 and 2.2.1.2", negotiations.RDP, width=2),
    Protocol(
        "irc",
        6667,
        "IRCv3 tls (STARTTLS)",
        (Step(b"STARTTLS\r\n", until(_IRC_END), ends(rb"(?::\S+ )?670\b")),),
    ),
    Protocol("telnet", 23, "draft-altman-telnet-starttls-02", negotiations.TELNET),
    Protocol("vnc", 5900, "RFC 6143 section 7.1, VeNCrypt 0.2", negotiations.VNC, width=2),
    Protocol(
        "openvpn-tcp",
        1194,
        "OpenVPN, Protocol Overview",
        negotiations.OPENVPN,
        envelopes.OpenVpn,
    ),
    Protocol(
        "amqp",
        5672,
        "AMQP 1.0 section 5.2.1",
        (Step(b"AMQP\x02\x01\x00\x00", octets(8), negotiations.same_header),),
    ),
)

_FIT_FOR_XML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&apos;"})

BY_NAME = {row.name: row for row in PROTOCOLS}


def find(name: str) -> Protocol:
    """The row of this name. Raises LookupFailedError that names them all."""
    try:
        return BY_NAME[name]
    except KeyError:
        raise LookupFailedError(repr(name), f"is none of {', '.join(BY_NAME)}", "starttls") from None


def usual_port(name: str) -> int:
    """The port of the protocol, of HTTPS where there is none. Raises LookupFailedError."""
    return find(name).port if name else DEFAULT_PORT


def talk(row: Protocol, name: str) -> Talk:
    """The row's dialogue with the server ``name``."""
    fit = name.translate(_FIT_FOR_XML).encode()
    steps = (
        step._replace(say=step.say.replace(b"{name}", fit)) if isinstance(step.say, bytes) else step
        for step in row.steps
    )
    return Talk(row.name, tuple(steps), no=f"refuses STARTTLS ({row.name})")
