"""The scanner behind STARTTLS and proxies: the same sets as without, and plain words where there is no way to TLS."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
from typing import TYPE_CHECKING
from unittest import mock

import msgspec
import pytest

import tlswire
from tests.servers import bad_servers
from tests.servers.catalogue import BY_NAME, DIALOGUES, Counts, running
from tests.servers.dialogues import SCRIPTS, in_front
from tests.servers.forwarders import FORBIDDEN_PORT, KNOWN
from tests.servers.gate import require
from tests.servers.listener import streamed
from tests.servers.oracle import VERSIONS
from tests.servers.prefaces import TURNS
from tests.servers.proxies import rate_limit
from tlswire.lab import server as lab
from tlswire.probe.opening import Opening
from tlswire.probe.proxy import parse_proxy
from tlswire.probe.starttls import BY_NAME as PROTOCOLS
from tlswire.probe.transport import Address
from tlswire.scan.pacing import WIDTH
from tlswire.scan.prober import Prober
from tlswire.scan.scanner import Options, scan_host

from .scans import found, scan, truth, unknown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.process import Server
    from tlswire.probe.exchange import Answer
    from tlswire.results import Scan

SUITES = (0x0005, 0x002F, 0xC02F, 0xC030, 0x009C, 0x1301, 0x1302)
FEW = Options(method="eliminate", versions=(0x0302, 0x0303, 0x0304), suites=SUITES)
QUICK = msgspec.structs.replace(FEW, limits=msgspec.structs.replace(FEW.limits, timeout=1.0))


def behind(starttls: str, options: Options = FEW) -> Options:
    return msgspec.structs.replace(options, starttls=starttls)


@pytest.fixture(scope="module")
def plain() -> Iterator[lab.Lab]:
    """The lab's server behind every dialogue here."""
    with lab.running("plain") as server:
        yield server


@pytest.fixture(scope="module")
def plainly(plain: lab.Lab) -> Scan:
    """What it accepts with nothing in front of it."""
    result = scan(plain.port, FEW)
    assert result.complete
    assert {version: codes for version, codes in found(result).items() if codes} == {
        version: codes & set(SUITES) for version, codes in truth("plain").items() if version in FEW.versions and codes
    }
    return result


# Every protocol, spoken by a server made from its RFC.


@pytest.mark.parametrize("protocol", list(PROTOCOLS))
def test_the_sets_are_the_same_behind_every_dialogue(protocol: str, plain: lab.Lab, plainly: Scan) -> None:
    with in_front(plain.port, protocol) as server:
        result = scan(server.port, behind(protocol), host="localhost")
    assert found(result) == found(plainly)
    assert (result.complete, result.error, result.notes, result.faults) == (True, None, [], [])
    assert result.target.starttls == protocol
    assert result.target.proxy is None


@pytest.mark.parametrize("protocol", ["smtp", "ftp", "xmpp-client", "vnc", "openvpn-tcp"])
def test_a_server_that_sends_every_byte_by_itself(protocol: str, plain: lab.Lab, plainly: Scan) -> None:
    with in_front(plain.port, protocol, bytewise=True) as server:
        result = scan(server.port, behind(protocol), host="localhost")
    assert (found(result), result.complete) == (found(plainly), True)


OPENSSL = [
    *("smtp", "pop3", "imap", "ftp", "xmpp", "xmpp-server", "telnet", "irc"),
    *("mysql", "postgres", "lmtp", "nntp", "sieve", "ldap"),
]


@pytest.mark.stacks
@pytest.mark.parametrize("name", OPENSSL)
def test_the_scripted_servers_satisfy_openssl_s_client(name: str) -> None:
    require("openssl-d")
    protocol = {"xmpp": "xmpp-client"}.get(name, name)
    # It stands neither notices nor other options before what it waits for.
    script = SCRIPTS[protocol]._replace(
        greeting={"irc": b"", "telnet": b"\xff\xfd\x2e"}.get(name, SCRIPTS[protocol].greeting)
    )
    with (
        mock.patch.dict(SCRIPTS, {protocol: script}),
        lab.running("modern") as server,
        in_front(server.port, protocol) as front,
    ):
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{front.port}", "-starttls", name, "-tls1_2"]
        if name.startswith("xmpp"):
            command += ["-name", "localhost"]
        told = subprocess.run(command, input=b"", capture_output=True, check=False, timeout=20)
        # The lab ends after its first flight: that openssl went as far as to read the certificate is what counts.
        assert b"BEGIN CERTIFICATE" in told.stdout, told


# Real servers.


@pytest.mark.stacks
@pytest.mark.parametrize("name", [row.name for row in DIALOGUES])
def test_the_sets_of_real_servers_are_the_oracle_s(name: str) -> None:
    row = require(name)
    with running(name) as server:
        result = scan(server.port, Options(method="eliminate", starttls=row.starttls), host="localhost")
        known = row.oracle(server.address).truth() if row.starttls in TURNS else None
    got = found(result)
    assert (result.complete, result.error, result.faults) == (True, None, []), result.notes
    assert Counts(*(len(got[version]) for version in VERSIONS)) == row.truth
    assert known is None or {version: got[version] for version in known} == known
    assert got[0x0002] == frozenset()
    assert result.elapsed_s < 30


def test_there_is_a_real_server_for_all_but_a_few() -> None:
    # No free server of TDS, no telnetd with START_TLS and none of AMQP 1.0 with its TLS header is in Debian.
    assert set(PROTOCOLS) - {row.starttls for row in DIALOGUES} == {"tds", "telnet", "amqp"}


# What servers do to a scan.


@pytest.mark.parametrize("protocol", ["smtp", "imap", "pop3"])
def test_words_in_clear_before_tls_are_a_finding(protocol: str, plain: lab.Lab, plainly: Scan) -> None:
    with in_front(plain.port, protocol, in_clear=b"250 injected\x1b[31m\r\n".replace(b"\x1b", b"?")) as server:
        result = scan(server.port, behind(protocol))
    assert found(result) == found(plainly)
    assert result.complete
    assert {fault.kind for fault in result.faults} == {"clear-text"}
    assert "250 injected?[31m" in result.faults[0].text
    (finding,) = [finding for finding in result.findings if finding.category == "fault"]
    assert "in clear" in finding.text


def test_what_is_not_offered_but_works_is_a_note(plain: lab.Lab, plainly: Scan) -> None:
    quiet = SCRIPTS["smtp"].turns[0]._replace(answer=b"250 mail.example\r\n")
    script = SCRIPTS["smtp"]._replace(turns=(quiet, *SCRIPTS["smtp"].turns[1:]))
    with mock.patch.dict(SCRIPTS, {"smtp": script}), in_front(plain.port, "smtp") as server:
        result = scan(server.port, behind("smtp"))
    assert (found(result), result.complete) == (found(plainly), True)
    assert result.notes == ["does not offer STARTTLS, but goes on to TLS when asked"]


def test_a_slow_banner_costs_time_and_nothing_else(plain: lab.Lab, plainly: Scan) -> None:
    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.1)
        await _pass_on(front.port, reader, writer)

    with in_front(plain.port, "smtp") as front, streamed(late) as server:
        result = scan(server.port, behind("smtp"))
    assert (found(result), result.complete, result.error) == (found(plainly), True, None)


async def _pass_on(port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(1 << 16):
            sink.write(data)
            await sink.drain()
        sink.close()

    with contextlib.suppress(OSError):
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))


@pytest.mark.parametrize(
    ("protocol", "words", "says"),
    [
        ("smtp", b"554 5.7.1 go away\x1b[2J\r\n", "refuses STARTTLS (smtp): 554 5.7.1 go away\\x1b[2J"),
        ("imap", b"* BYE too many\r\n", "refuses STARTTLS (imap): * BYE too many"),
        ("mysql", b"\x17\0\0\0\xff\x10\x04Too many connections", "refuses STARTTLS (mysql): Too many connections"),
        ("smtp", b"HTTP/1.1 400 Bad Request\r\n", "does not speak smtp: HTTP/1.1 400 Bad Request"),
        ("irc", b"\x15\x03\x01\x00\x02\x02\x0a", "speaks TLS from the first byte, there is no irc dialogue"),
    ],
)
def test_a_refusal_ends_the_scan_with_the_server_s_words(
    protocol: str, words: bytes, says: str, plain: lab.Lab
) -> None:
    with in_front(plain.port, protocol, mood=lambda _: words) as server:
        result = scan(server.port, behind(protocol))
    assert (result.error, result.reachable, result.complete) == (says, False, False)
    assert server.connections <= 3
    assert not any(found(result).values())


def test_a_server_of_tls_from_the_first_byte_is_told_from_silence() -> None:
    with lab.running("plain") as server:
        waiting = scan(server.port, behind("smtp", QUICK))
        asked = scan(server.port, behind("postgres", QUICK))
    for result, protocol in ((waiting, "smtp"), (asked, "postgres")):
        assert result.error == f"speaks TLS from the first byte, there is no {protocol} dialogue"
        assert not result.reachable


def test_silence_instead_of_a_banner() -> None:
    with bad_servers.silent() as server:
        result = scan(server.port, behind("smtp", QUICK))
    assert result.error == "says nothing in the smtp dialogue within the timeout"
    assert (result.reachable, server.connections) == (False, 2)


def test_a_server_that_closes_in_the_middle_of_the_dialogue() -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hi\r\n")
        await reader.readline()

    with streamed(half) as server:
        result = scan(server.port, behind("smtp"))
    assert result.error == "closes the connection in the smtp dialogue, after: 220 hi"
    assert not result.reachable


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    result = scan(port, behind("smtp"))
    assert result.error == "cannot connect: Connection refused"
    assert not result.reachable


def test_a_refusal_at_first_is_no_refusal_for_ever(plain: lab.Lab, plainly: Scan) -> None:
    with in_front(plain.port, "smtp", mood=lambda ordinal: b"421 later\r\n" if ordinal == 1 else b"") as server:
        result = scan(server.port, behind("smtp"))
    assert (found(result), result.complete) == (found(plainly), True)
    assert result.notes == ["at first: refuses STARTTLS (smtp): 421 later"]


def test_refusals_now_and_then_cost_no_suite(plain: lab.Lab, plainly: Scan) -> None:
    with in_front(plain.port, "smtp", mood=lambda ordinal: b"" if ordinal % 9 else b"421 busy\r\n") as server:
        result = scan(server.port, behind("smtp"))
    assert found(result) == found(plainly)
    assert not any(unknown(result).values())
    assert any("worked when tried alone" in note for note in result.notes)


def test_a_server_that_has_had_enough_leaves_the_rest_unknown(plain: lab.Lab, plainly: Scan) -> None:
    words = b"421 4.7.0 too many connections\r\n"
    with (
        mock.patch("tlswire.scan.prober.PATIENCE", 1.0),
        in_front(plain.port, "smtp", mood=lambda ordinal: words if ordinal > 12 else b"") as server,
    ):
        result = scan(server.port, behind("smtp", msgspec.structs.replace(FEW, limits=tlswire.Limits(retries=1))))
    got, unsettled = found(result), unknown(result)
    for version, codes in found(plainly).items():
        assert got[version] <= codes
        assert codes - got[version] <= unsettled[version]
    assert any(unsettled.values())
    assert (result.complete, result.error) == (False, None)
    assert "refuses STARTTLS (smtp): 421 4.7.0 too many connections" in result.notes[-1]


def test_a_limit_of_connections_a_second_behind_a_dialogue(plain: lab.Lab, plainly: Scan) -> None:
    with in_front(plain.port, "smtp") as front, rate_limit(front.port, 10) as server:
        result = scan(server.port, behind("smtp"))
    assert (found(result), result.complete) == (found(plainly), True)
    assert any("connections a second" in note for note in result.notes)
    assert result.elapsed_s < 30


def test_few_connections_at_once_unless_the_user_wants_more() -> None:
    target = Address("192.0.2.1", 25)

    async def width(concurrency: int, opening: Opening | None) -> int:
        return Prober(target, tlswire.Limits(concurrency=concurrency), opening=opening).limits.concurrency

    through = Opening(target, proxy=parse_proxy("http://192.0.2.2:3128"))
    for asked, opening, given in (
        (0, None, WIDTH),
        (0, through, WIDTH),
        (0, Opening(target, "smtp"), PROTOCOLS["smtp"].width),
        (0, Opening(target, "rdp"), PROTOCOLS["rdp"].width),
        (40, Opening(target, "smtp"), 40),
    ):
        assert asyncio.run(width(asked, opening)) == given
    assert PROTOCOLS["rdp"].width < PROTOCOLS["smtp"].width < WIDTH


# Through proxies.


@pytest.fixture(scope="module")
def nginx() -> Iterator[Server]:
    require("nginx-b")
    with running("nginx-b") as server:
        yield server


URLS = [
    ("tinyproxy", "http://127.0.0.1:{}"),
    ("tinyproxy-known", "http://{}:{}@127.0.0.1:{{}}".format(*KNOWN)),
    ("microsocks", "socks5://127.0.0.1:{}"),
    ("microsocks", "socks5h://localhost:{}"),
    ("microsocks-known", "socks5h://{}:{}@127.0.0.1:{{}}".format(*KNOWN)),
    ("dante", "socks5://127.0.0.1:{}"),
    ("dante", "socks5h://127.0.0.1:{}"),
]


def by_way_of(url: str, port: int, options: Options | None = None) -> Options:
    options = Options(method="eliminate", versions=(0x0303, 0x0304)) if options is None else options
    return msgspec.structs.replace(options, proxy=parse_proxy(url.format(port)))


@pytest.mark.stacks
@pytest.mark.parametrize(("name", "url"), URLS)
def test_the_sets_are_the_same_through_real_proxies(name: str, url: str, nginx: Server) -> None:
    row = require(name)
    with running(row.name) as proxy:
        options = by_way_of(url, proxy.port)
        result = scan_host("localhost", nginx.port, options)
    assert (result.complete, result.error, result.faults) == (True, None, [])
    assert [len(version.suites) for version in result.versions] == [2, 3]
    assert result.target.proxy == str(options.proxy)
    assert result.target.address == (None if options.proxy and options.proxy.resolves else "127.0.0.1")
    assert result.target.server_name == "localhost"
    assert KNOWN[1] not in str(msgspec.to_builtins(result))


@pytest.mark.stacks
@pytest.mark.parametrize(
    ("name", "url", "port", "says"),
    [
        ("tinyproxy", "http://127.0.0.1:{}", FORBIDDEN_PORT, "refuses: HTTP/1.1 403 Filtered"),
        ("tinyproxy", "http://127.0.0.1:{}", 1, "refuses: HTTP/1.1 500 Unable to connect"),
        ("tinyproxy-known", "http://127.0.0.1:{}", 1, "refuses: HTTP/1.0 407 Proxy Authentication Required"),
        ("tinyproxy-known", "http://user:0ther@127.0.0.1:{}", 1, "refuses: HTTP/1.0 401 Unauthorized"),
        ("tinyproxy", "socks5://127.0.0.1:{}", 1, "in the SOCKS5 dialogue"),
        ("microsocks", "socks5://127.0.0.1:{}", 1, "refuses: connection refused"),
        ("microsocks-known", "socks5://127.0.0.1:{}", 1, "refuses: it wants a user name and password"),
        ("microsocks-known", "socks5://user:0ther@127.0.0.1:{}", 1, "refuses: wrong user name or password"),
        ("microsocks", "http://127.0.0.1:{}", 1, "does not speak HTTP: \\x05\\xff"),
        ("dante", "socks5h://127.0.0.1:{}", FORBIDDEN_PORT, "refuses: connection not allowed by its rules"),
    ],
)
def test_what_a_real_proxy_refuses_is_told_as_the_proxy_s(name: str, url: str, port: int, says: str) -> None:
    require(name)
    with running(name) as proxy:
        options = by_way_of(url, proxy.port, QUICK)
        result = scan_host("localhost", port, options)
    assert result.error is not None
    assert result.error.startswith(f"the proxy {options.proxy} ")
    assert says in result.error
    assert (result.reachable, result.complete) == (False, False)
    assert "0ther" not in str(msgspec.to_builtins(result))


@pytest.mark.stacks
@pytest.mark.parametrize(("name", "url"), [URLS[0], URLS[3]])
@pytest.mark.parametrize("daemon", ["postfix", "prosody-c2s", "slapd", "mariadb"])
def test_a_real_dialogue_through_a_real_proxy(name: str, url: str, daemon: str) -> None:
    require(name)
    row = require(daemon)
    with running(daemon) as server, running(name) as proxy:
        options = by_way_of(url, proxy.port, Options(method="eliminate", versions=(0x0304,), starttls=row.starttls))
        result = scan_host("localhost", server.port, options)
    assert (result.complete, result.error) == (True, None)
    assert row.truth is not None
    assert [len(version.suites) for version in result.versions] == [row.truth.tls13]


def test_nobody_is_at_the_proxy_s_address(plain: lab.Lab) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for starttls in ("", "smtp"):
        result = scan(plain.port, by_way_of("socks5://127.0.0.1:{}", port, behind(starttls)))
        assert result.error == f"cannot connect to the proxy socks5://127.0.0.1:{port}: Connection refused"
        assert (result.reachable, result.connections) == (False, 1)


def test_a_proxy_that_has_had_enough_leaves_the_rest_unknown(plain: lab.Lab) -> None:
    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if proxy.connections > 9:
            writer.write(b"HTTP/1.1 429 Too Many Requests\r\n\r\n")
            return
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await _pass_on(plain.port, reader, writer)

    limits = tlswire.Limits(concurrency=4, retries=1)
    with mock.patch("tlswire.scan.prober.PATIENCE", 1.0), streamed(forward) as proxy:
        options = by_way_of("http://127.0.0.1:{}", proxy.port, msgspec.structs.replace(FEW, limits=limits))
        result = scan(plain.port, options)
    assert any(unknown(result).values())
    assert not result.complete
    assert "HTTP/1.1 429 Too Many Requests" in result.notes[-1]


# From Python.


def test_exchange_behind_a_dialogue_and_through_a_proxy(plain: lab.Lab) -> None:
    import random  # noqa: PLC0415 - only here

    hello = tlswire.client_hello(0x0303, (0xC02F,), rng=random.Random(1), shape=tlswire.Shape(server_name=b"localhost"))

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" if b"CONNECT localhost:" in request else b"HTTP/1.1 403 No\r\n\r\n")
        await _pass_on(front.port, reader, writer)

    with in_front(plain.port, "xmpp-client") as front, streamed(forward) as proxy:
        through = tlswire.parse_proxy(f"http://127.0.0.1:{proxy.port}")
        answers: list[Answer] = [
            tlswire.exchange("localhost", front.port, hello, starttls="xmpp-client"),
            tlswire.exchange("localhost", front.port, hello, starttls="xmpp-client", proxy=through),
            tlswire.exchange("127.0.0.1", front.port, hello, starttls="xmpp-client", proxy=through),
        ]
    assert [answer.kind for answer in answers] == ["hello", "hello", "proxy"]
    assert answers[0].messages == answers[1].messages or answers[1].hello is not None
    assert [message.type for message in answers[0].messages][-1] == 14  # ServerHelloDone


def test_the_port_is_the_protocol_s_own_when_none_is_given() -> None:
    seen = []

    async def ask(address: Address, *_: object, **__: object) -> Answer:
        seen.append(address.port)
        return tlswire.Answer("refused")

    with mock.patch("tlswire.scan.offers.ask", ask):
        scan_host("127.0.0.1", options=behind("imap"))
        scan_host("127.0.0.1", options=FEW)
        scan_host("127.0.0.1", 1143, behind("imap"))
    assert seen == [143, 443, 1143]


def test_a_protocol_that_is_not_known_is_the_caller_s_fault() -> None:
    assert "gopher" not in BY_NAME
    with pytest.raises(tlswire.LookupFailedError, match="smtp"):
        scan_host("127.0.0.1", 1, behind("gopher"))
