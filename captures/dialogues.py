"""Recordings of TLS that begins inside another protocol: STARTTLS, proxies, and TLS on a port of something else.

The servers speak just enough of their protocol, as its RFC or manual has it; the clients are real ones. The facts are
what our observing server negotiated.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from typing import TYPE_CHECKING

from captures.observer import Observer, observe
from captures.record import HOST, Bench, Facts, Scenario, process, run

if TYPE_CHECKING:
    from collections.abc import Callable

Step = tuple[bytes, bytes]  # what the client's words must end with (b"" for none awaited), and what the server answers


def _speak(*steps: Step) -> Callable[[socket.socket], bool]:
    def before(peer: socket.socket) -> bool:
        for awaited, answer in steps:
            heard = b""
            while not heard.endswith(awaited):  # byte by byte: a ClientHello may be right behind
                chunk = peer.recv(1)
                if not chunk:
                    return False
                heard += chunk
            peer.sendall(answer)
        return True

    return before


# MySQL protocol 4.1: a greeting whose capabilities hold CLIENT_SSL (0x0800).
_GREETING = (
    b"\x0a8.0.0-example\x00" + struct.pack("<I", 1) + b"8bytes!!\x00" + b"\xff\xff\x21\x02\x00\xff\xdf\x15" + bytes(10)
)
_GREETING += b"12bytesmore!\x00mysql_native_password\x00"
_MYSQL = struct.pack("<I", len(_GREETING))[:3] + b"\x00" + _GREETING
_XMPP = b"<stream:stream xmlns='jabber:%s' xmlns:stream='http://etherx.jabber.org/streams' id='1' from='localhost' version='1.0'>"
_FEATURES = (
    b"<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls></stream:features>"
)
_PROCEED = b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
_LDAP_OK = bytes.fromhex("300c02010178070a010004000400")
_START_TLS, _FOLLOWS = b"\xff\xfd\x2e", b"\xff\xfa\x2e\x01\xff\xf0"  # IAC DO START_TLS, IAC SB START_TLS FOLLOWS IAC SE

# s_client's name of the protocol, its port, and what the server says.
DIALOGUES: dict[str, tuple[int, tuple[Step, ...]]] = {
    "smtp": (25, ((b"", b"220 mail.example ESMTP\r\n"), (b"EHLO", b"250-mail.example\r\n250 STARTTLS\r\n"), (b"STARTTLS\r\n", b"220 go ahead\r\n"))),
    "lmtp": (24, ((b"", b"220 mail.example LMTP\r\n"), (b"LHLO", b"250-mail.example\r\n250 STARTTLS\r\n"), (b"STARTTLS\r\n", b"220 go ahead\r\n"))),
    "imap": (143, ((b"", b"* OK IMAP4rev1 ready\r\n"), (b"CAPABILITY\r\n", b"* CAPABILITY IMAP4rev1 STARTTLS\r\n. OK done\r\n"), (b"STARTTLS\r\n", b". OK begin\r\n"))),
    "pop3": (110, ((b"", b"+OK ready\r\n"), (b"STLS\r\n", b"+OK begin\r\n"))),
    "ftp": (21, ((b"", b"220 files.example\r\n"), (b"AUTH TLS\r\n", b"234 begin\r\n"))),
    "nntp": (119, ((b"", b"200 news.example\r\n"), (b"CAPABILITIES\r\n", b"101 list\r\nVERSION 2\r\nSTARTTLS\r\n.\r\n"), (b"STARTTLS\r\n", b"382 begin\r\n"))),
    "irc": (6667, ((b"STARTTLS\r\n", b":irc.example 670 * :STARTTLS successful, proceed with TLS handshake\r\n"),)),
    "sieve": (4190, ((b"", b'"IMPLEMENTATION" "example"\r\n"SIEVE" "fileinto"\r\n"STARTTLS"\r\nOK\r\n'), (b"STARTTLS\r\n", b"OK\r\n"))),
    "xmpp": (5222, ((b"version='1.0'", _XMPP % b"client" + _FEATURES), (b"xmpp-tls'/>", _PROCEED))),
    "xmpp-server": (5269, ((b"version='1.0'", _XMPP % b"server" + _FEATURES), (b"xmpp-tls'/>", _PROCEED))),
    "ldap": (389, ((b"1.3.6.1.4.1.1466.20037", _LDAP_OK),)),
    "postgres": (5432, ((struct.pack(">II", 8, 80877103), b"S"),)),
    "mysql": (3306, ((b"", _MYSQL), (bytes(23), b""))),
    "telnet": (23, ((b"", _START_TLS), (b"\xff\xfb\x2e", _FOLLOWS), (_FOLLOWS, b""))),
}  # fmt: skip


def _starttls(protocol: str) -> Scenario:
    port, steps = DIALOGUES[protocol]

    def go(bench: Bench) -> list[Facts]:
        name = f"{protocol}.example"
        argv = ["openssl", "s_client", "-connect", f"{HOST}:{port}", "-servername", name, "-starttls", protocol]
        if protocol in {"xmpp", "xmpp-server"}:
            argv += ["-name", "localhost"]
        with Observer(bench.minted.ec, port=port, before=_speak(*steps)) as peer:
            told = run(argv, stdin=b"NOOP\r\n", wait=b"ok\n", timeout=5)
        if not peer.facts:
            raise RuntimeError(told)
        return [peer.facts[0] | {"protocol": protocol.removesuffix("-server")}]

    return Scenario(f"starttls-{protocol}", f"STARTTLS of {protocol}", go)


def _library(name: str, protocol: str, begin: Callable[[ssl.SSLContext], object]) -> Scenario:
    """A client of Python's standard library at the same dialogue."""
    port, steps = DIALOGUES[protocol]

    def go(bench: Bench) -> list[Facts]:
        context = ssl.create_default_context(cafile=str(bench.minted.root))
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with Observer(bench.minted.ec, port=port, before=_speak(*steps)) as peer, contextlib.suppress(Exception):
            begin(context)
        return [peer.facts[0] | {"protocol": protocol}]

    return Scenario(name, f"STARTTLS of {protocol} by Python's {name.rpartition('-')[2]}", go)


def _ftplib(context: ssl.SSLContext) -> None:
    import ftplib  # noqa: PLC0415

    with ftplib.FTP_TLS(context=context) as client:  # noqa: S321 - that is what is recorded
        client.connect(HOST, 21, timeout=3)
        client.auth()
        client.voidcmd("NOOP")


def _aiosmtpd(bench: Bench) -> list[Facts]:
    """A real SMTP server and Python's client."""
    import smtplib  # noqa: PLC0415

    leaf = bench.minted.ec
    argv = [
        bench.python,
        "-m",
        "aiosmtpd",
        "-n",
        "-l",
        f"{HOST}:25",
        "--tlscert",
        str(leaf.chain),
        "--tlskey",
        str(leaf.key),
    ]
    with process(argv, port=25), smtplib.SMTP("localhost", 25, local_hostname="client.example", timeout=5) as client:
        context = ssl.create_default_context(cafile=str(bench.minted.root))
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        client.starttls(context=context)
        client.noop()
    facts: Facts = {
        "server_name": "localhost",
        "version": "0x0303",
        "alerts": [],
        "certificates": leaf.sha256,
        "protocol": "smtp",
    }
    return [facts]


def _rdp(bench: Bench) -> list[Facts]:
    """X.224 connection request and confirm with TLS asked for and chosen (MS-RDPBCGR 2.2.1.1 and 2.2.1.2)."""
    cookie = b"Cookie: mstshash=someone\r\n"
    negotiation = struct.pack("<BBHI", 1, 0, 8, 1)
    request = b"\xe0\0\0\0\0\0" + cookie + negotiation
    request = bytes([len(request)]) + request
    request = struct.pack(">BBH", 3, 0, 4 + len(request)) + request
    confirm = b"\xd0\0\0\x12\x34\0" + struct.pack("<BBHI", 2, 0, 8, 1)
    confirm = bytes([len(confirm)]) + confirm
    confirm = struct.pack(">BBH", 3, 0, 4 + len(confirm)) + confirm

    def start(plain: socket.socket) -> None:
        plain.sendall(request)
        plain.recv(64)

    with Observer(bench.minted.rsa, port=3389, before=_speak((negotiation, confirm))):
        return [observe(3389, "rdp.example", start=start) | {"protocol": "rdp"}]


def _relay(near: socket.socket, far: socket.socket) -> None:
    def pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=pump, args=(far, near))
    thread.start()
    pump(near, far)
    thread.join(5)


def _proxy(name: str, port: int, scheme: str, protocol: str, greet: Callable[[socket.socket], None]) -> Scenario:
    """A curl through a small proxy to the observer; only the client's side is kept."""

    def go(bench: Bench) -> list[Facts]:
        listener = socket.create_server((HOST, port))

        def serve() -> None:
            near, _ = listener.accept()
            with near, socket.create_connection((HOST, 4433)) as far:
                greet(near)
                _relay(near, far)

        thread = threading.Thread(target=serve)
        thread.start()
        host = f"{name}.example"
        with Observer(bench.minted.ec) as peer:
            told = run(
                [
                    "curl",
                    "-sSk",
                    "--resolve",
                    f"{host}:443:{HOST}",
                    "--proxy",
                    f"{scheme}://{HOST}:{port}",
                    f"https://{host}/",
                ]
            )
        thread.join(5)
        listener.close()
        if not peer.facts:
            raise RuntimeError(told)
        return [peer.facts[0] | {"protocol": protocol}]

    return Scenario(name, f"TLS through a proxy: {protocol}", go, (port,))


def _until(peer: socket.socket, end: bytes) -> bytes:
    heard = b""
    while end not in heard:
        heard += peer.recv(4096)
    return heard


def _connect(peer: socket.socket) -> None:
    _until(peer, b"\r\n\r\n")
    peer.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")


def _socks4(peer: socket.socket) -> None:
    peer.recv(512)
    peer.sendall(b"\x00\x5a\x01\xbb\x7f\x00\x00\x01")


def _socks5(peer: socket.socket) -> None:
    peer.recv(512)
    peer.sendall(b"\x05\x00")
    peer.recv(512)
    peer.sendall(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x01\xbb")


def _odd_port(bench: Bench) -> list[Facts]:
    with Observer(bench.minted.ec, port=53):
        return [observe(53, "odd-port.example") | {"protocol": None}]


def _proxied(bench: Bench) -> list[Facts]:
    line = b"PROXY TCP4 192.0.2.1 192.0.2.2 40000 443\r\n"
    with Observer(bench.minted.ec, port=443, before=_speak((line, b""))):
        facts = observe(443, "proxied.example", start=lambda plain: plain.sendall(line))
    return [facts | {"protocol": "proxy-protocol"}]


SCENARIOS: tuple[Scenario, ...] = (
    *map(_starttls, DIALOGUES),
    Scenario("starttls-smtp-aiosmtpd", "STARTTLS of a real SMTP server, TLS 1.2", _aiosmtpd),
    _library("starttls-ftp-ftplib", "ftp", _ftplib),
    Scenario("rdp", "TLS chosen in RDP's X.224 negotiation", _rdp),
    _proxy("http-connect", 3128, "http", "http-connect", _connect),
    _proxy("socks4", 1080, "socks4", "socks4", _socks4),
    _proxy("socks4a", 1080, "socks4a", "socks4", _socks4),
    _proxy("socks5", 1080, "socks5", "socks5", _socks5),
    _proxy("socks5-name", 1080, "socks5h", "socks5", _socks5),
    Scenario("odd-port", "TLS on port 53", _odd_port),
    Scenario("proxy-protocol", "TLS behind a line of the PROXY protocol", _proxied),
)


def made_by(scenario: Scenario) -> str:
    """The client, and the dialogue's server."""
    stack = ssl.OPENSSL_VERSION.partition("  ")[0]
    if "aiosmtpd" in scenario.name:
        return f"aiosmtpd and Python smtplib ({stack})"
    if scenario.ports:
        return f"curl ({stack}) through a proxy of this script to Python ssl"
    client = "openssl s_client" if scenario.name.removeprefix("starttls-") in DIALOGUES else "Python"
    return f"{client} ({stack}) at a dialogue of this script, then Python ssl"
