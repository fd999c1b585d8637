"""Sessions are resumed with real servers, early data is sent and taken, and everything that may stop either is met."""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.servers.catalogue import running
from tests.servers.gate import require
from tests.servers.process import serving
from tests.servers.recipes import gnutls, nginx, openssl_early_data
from tlswire.handshake.client import Client
from tlswire.handshake.conversation import Session
from tlswire.handshake.offer import SESSION_TICKET, offer, resuming
from tlswire.handshake.tls13 import COMPRESS_CERTIFICATE
from tlswire.hello.builder import Shape, client_hello
from tlswire.hello.edit import PRE_SHARED_KEY, with_extension
from tlswire.probe.converse import converse
from tlswire.probe.transport import Address
from tlswire.scan.server import groups_of
from tlswire.wire.extensions import encode_extension
from tlswire.wire.handshake import SERVER_HELLO, SERVER_HELLO_BODY, encode_handshake
from tlswire.wire.messages import HRR_RANDOM, Extension, ServerHello
from tlswire.wire.primitives import build
from tlswire.wire.records import CHANGE_CIPHER_SPEC, HANDSHAKE, fragment

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers.process import Recipe
    from tlswire.handshake.conversation import Conversation

pytestmark = pytest.mark.stacks

TLS12, TLS13 = 0x0303, 0x0304
AES128, AES256 = 0x1301, 0x1302  # with SHA-256, with SHA-384
REQUEST = b"GET / HTTP/1.0\r\n\r\n"
MODERN = "TLSv1.2 TLSv1.3"
EARLY = "ssl_early_data on;"
SECP256R1, SECP521R1, X25519 = 0x0017, 0x0019, 0x001D


def connect(
    port: int,
    version: int = TLS13,
    suites: tuple[int, ...] = (AES128, AES256),
    *,
    session: Session | None = None,
    early: bytes = b"",
    shares: tuple[int, ...] = (X25519, SECP256R1),
    alpn: tuple[bytes, ...] = (),
    tickets: bool = True,
    seed: int = 1,
    request: bytes = REQUEST,
) -> Conversation:
    rng = Random(seed)
    if version < TLS13:
        suites = (0xC02B, 0xC02F, 0xC030, 0xC014, 0x002F)
    shape = Shape(
        server_name=b"localhost",
        alpn=alpn,
        groups=groups_of(version),
        key_shares=shares if version == TLS13 else (),
    )
    hello = client_hello(version, suites, rng=rng, shape=shape)
    if not tickets:
        hello = with_extension(hello, SESSION_TICKET, None)
    if session is not None:
        hello = resuming(hello, session, early_data=bool(early))
    client = Client(offer(hello, rng), rng, session=session, request=b"" if early else request, early_data=early)
    return asyncio.run(converse(Address("127.0.0.1", port), client))


def records(data: bytes) -> list[int]:
    """The types of the records in ``data``."""
    types, at = [], 0
    while at + 5 <= len(data):
        types.append(data[at])
        at += 5 + int.from_bytes(data[at + 3 : at + 5], "big")
    return types


def by_ticket(heard: Conversation) -> Session:
    return next(session for session in heard.sessions if session.ticket)


def by_id(heard: Conversation) -> Session:
    return next(session for session in heard.sessions if not session.ticket)


# Which way each server resumes, by its configuration.
TICKETS13 = ["nginx-b", "openssl-d", "gnutls", "jsse", "go", "lighttpd-nss", "lighttpd-wolfssl", "granian", "pyopenssl"]
TICKETS12 = ["nginx-b", "openssl-d", "gnutls", "jsse", "go", "lighttpd-nss", "lighttpd-mbedtls", "lighttpd-wolfssl"]
IDS12 = ["openssl-d", "jsse", "granian", "botan", "erlang"]


@pytest.mark.parametrize("name", TICKETS13)
def test_a_ticket_of_tls_13_is_resumed_and_answered(name: str) -> None:
    require(name)
    with running(name) as server:
        first = connect(server.port)
        again = connect(server.port, session=by_ticket(first))
    assert (again.label, again.resumed, again.chain) == ("finished", True, ())
    assert again.application.startswith(b"HTTP")


@pytest.mark.parametrize("name", TICKETS12)
def test_a_ticket_of_tls_12_is_resumed_and_answered(name: str) -> None:
    require(name)
    with running(name) as server:
        first = connect(server.port, TLS12)
        again = connect(server.port, TLS12, session=by_ticket(first))
    assert (again.label, again.resumed, again.chain) == ("finished", True, ())
    assert again.application.startswith(b"HTTP")


@pytest.mark.parametrize("name", IDS12)
def test_a_session_id_is_resumed(name: str) -> None:
    require(name)
    with running(name) as server:
        first = connect(server.port, TLS12, request=b"", tickets=False)
        again = connect(server.port, TLS12, session=by_id(first), tickets=False)
    assert (again.label, again.resumed, again.chain) == ("finished", True, ())


def test_a_retry_is_answered_with_the_ticket_bound_anew() -> None:
    require("nginx-secp521r1")
    with running("nginx-secp521r1") as server:
        first = connect(server.port)
        again = connect(server.port, session=by_ticket(first))
    assert first.retry is not None
    assert again.retry is not None
    assert (again.label, again.resumed, again.group) == ("finished", True, SECP521R1)


@pytest.mark.parametrize("name", ["nginx-b", "nginx-secp521r1"])
def test_a_ticket_of_another_hash_is_passed_over(name: str) -> None:
    require(name)
    with running(name) as server:
        first = connect(server.port, suites=(AES256,))
        again = connect(server.port, suites=(AES128,), session=by_ticket(first))
    assert (again.label, again.resumed, again.suite) == ("finished", False, AES128)


def test_a_ticket_of_another_hash_is_left_out_of_the_hello_after_a_retry() -> None:
    require("nginx-secp521r1")
    with running("nginx-secp521r1") as server:
        first = connect(server.port, suites=(AES256,))
        other = connect(server.port, suites=(AES128,), session=by_ticket(first))
    assert other.offered is not None
    assert PRE_SHARED_KEY in other.offered.extension_types
    assert other.retry is not None
    assert (other.label, other.resumed) == ("finished", False)
    assert other.sent.count(by_ticket(first).ticket) == 1  # in the first hello


EARLY_SERVERS: dict[str, Callable[[], Recipe]] = {
    "nginx": lambda: nginx(protocols=MODERN, ciphers="ECDHE+AESGCM", directives=(EARLY,)),
    "openssl": openssl_early_data,
    "gnutls": lambda: gnutls("NORMAL", "--earlydata", "--maxearlydata", "1000"),
}


@pytest.mark.parametrize("name", EARLY_SERVERS)
def test_early_data_is_taken(name: str) -> None:
    require({"nginx": "nginx-b", "openssl": "openssl-d", "gnutls": "gnutls"}[name])
    with serving(name, EARLY_SERVERS[name]()) as server:
        first = connect(server.port, request=b"")
        again = connect(server.port, session=by_ticket(first), early=REQUEST)
        log = server.log()
    assert (again.label, again.resumed, again.early_data) == ("finished", True, True)
    assert records(again.sent).count(CHANGE_CIPHER_SPEC) == 1
    if name == "nginx":
        assert again.application.startswith(b"HTTP/1.1 200")
    if name == "openssl":
        assert "GET / HTTP/1.0" in log


def test_a_hello_that_offers_early_data_and_sends_none_is_completed() -> None:
    require("nginx-b")
    with serving("nginx", EARLY_SERVERS["nginx"]()) as server:
        first = connect(server.port, request=b"")
        rng = Random(2)
        shape = Shape(server_name=b"localhost", groups=groups_of(TLS13))
        hello = client_hello(TLS13, (AES128, AES256), rng=rng, shape=shape)
        session = by_ticket(first)
        client = Client(offer(resuming(hello, session, early_data=True), rng), rng, session=session, request=REQUEST)
        again = asyncio.run(converse(Address("127.0.0.1", server.port), client))
    assert (again.label, again.resumed, again.early_data) == ("finished", True, True)
    assert again.application.startswith(b"HTTP/1.1 200")


def test_early_data_is_given_up_with_a_retry() -> None:
    require("nginx-b")
    recipe = nginx(protocols=MODERN, ciphers="ECDHE+AESGCM", groups="secp521r1", directives=(EARLY,))
    with serving("nginx", recipe) as server:
        first = connect(server.port, request=b"")
        again = connect(server.port, session=by_ticket(first), early=REQUEST)
    assert again.retry is not None
    assert (again.label, again.resumed, again.early_data) == ("finished", True, False)
    assert records(again.sent).count(CHANGE_CIPHER_SPEC) == 1


def test_early_data_under_another_protocol_is_skipped_and_the_session_resumed() -> None:
    require("nginx-b")
    with serving("nginx", EARLY_SERVERS["nginx"]()) as server:
        first = connect(server.port, request=b"")
        again = connect(server.port, session=by_ticket(first), early=REQUEST, alpn=(b"http/1.1",))
    assert (again.label, again.resumed, again.early_data, again.alpn) == ("finished", True, False, b"http/1.1")


def test_early_data_sent_twice_is_skipped_by_a_server_that_guards_against_replays() -> None:
    require("openssl-d")
    with serving("openssl", openssl_early_data()) as server:
        first = connect(server.port, request=b"")
        session = by_ticket(first)
        taken, replayed = (connect(server.port, session=session, early=REQUEST, seed=7) for _ in range(2))
    assert taken.sent[:200] == replayed.sent[:200]
    assert (taken.resumed, taken.early_data) == (True, True)
    assert (replayed.label, replayed.resumed, replayed.early_data) == ("finished", False, False)


def test_early_data_for_a_server_that_went_back_to_tls_12_ends_cleanly() -> None:
    require("nginx-b")
    with serving("nginx", EARLY_SERVERS["nginx"]()) as server:
        session = by_ticket(connect(server.port, request=b""))
    with serving("nginx", nginx(protocols="TLSv1.2", ciphers="ECDHE+AESGCM")) as server:
        rng = Random(1)
        shape = Shape(server_name=b"localhost", groups=groups_of(TLS13))
        hello = client_hello((TLS13, TLS12), (AES128, AES256, 0xC02F), rng=rng, shape=shape)
        hello = resuming(hello, session, early_data=True)
        client = Client(offer(hello, rng), rng, session=session, early_data=REQUEST)
        heard = asyncio.run(converse(Address("127.0.0.1", server.port), client))
    # nginx meets application data where a ClientKeyExchange belongs (RFC 9846 appendix E.3).
    assert heard.version == TLS12
    assert not heard.finished
    assert heard.label in {"alert:unexpected_message", "alert:bad_record_mac", "hello"}


def session_of(suite: int = AES128) -> Session:
    return Session(TLS13, suite, bytes(32), ticket=b"ticket", early_data=100)


@pytest.mark.parametrize("early", [b"", REQUEST])
def test_a_retry_that_changes_nothing_is_refused_even_where_it_ends_early_data(early: bytes) -> None:
    rng = Random(1)
    hello = client_hello(TLS13, (AES128,), rng=rng, shape=Shape(groups=groups_of(TLS13)))
    hello = resuming(hello, session_of(), early_data=bool(early))
    client = Client(offer(hello, rng), rng, session=session_of(), early_data=early)
    client.start()
    retry = ServerHello(TLS12, HRR_RANDOM, hello.session_id, AES128, 0, (Extension(43, b"\3\4"),))
    assert client.feed(fragment(HANDSHAKE, TLS12, encode_handshake(SERVER_HELLO, build(SERVER_HELLO_BODY, retry))))
    assert client.fault == "a HelloRetryRequest that changes nothing (RFC 9846 4.2.4)"


def test_a_certificate_compressed_by_what_is_not_installed_ends_the_handshake_without_blame(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    require("tlslite-ng")
    monkeypatch.setattr("tlswire.handshake.tls13.available", lambda: (1,))
    with running("tlslite-ng") as server:
        rng = Random(1)
        hello = client_hello(TLS13, (AES128,), rng=rng, shape=Shape(groups=groups_of(TLS13)))
        hello = with_extension(hello, COMPRESS_CERTIFICATE, encode_extension(COMPRESS_CERTIFICATE, (2,), "ch"))
        client = Client(offer(hello, rng), rng)
        heard = asyncio.run(converse(Address("127.0.0.1", server.port), client))
    assert (heard.compression, heard.unchecked) == (2, "a certificate compressed by 2 brotli")
    assert heard.kind == "hello"
