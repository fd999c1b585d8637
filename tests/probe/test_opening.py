"""The reader behind an opening: dialogues, then the hello, then whatever the inner reader reads."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.servers.dialogues import ENVELOPES, SCRIPTS, Peer
from tlswire.errors import LookupFailedError, UsageError
from tlswire.probe.exchange import Answer, HelloReader, behind
from tlswire.probe.opening import MAX_CLEAR, Opened, Opening, opening
from tlswire.probe.proxy import Proxy, parse_proxy
from tlswire.probe.starttls import BY_NAME
from tlswire.probe.transport import Address, Cuts, Outcome, Paced

from .test_exchange import alert, server_hello

TARGET = Address("192.0.2.1", 25)
HELLO = b"\x16\x03\x01\x00\x05hello"
CONNECTED = b"HTTP/1.1 200 OK\r\n\r\n"

each_protocol = pytest.mark.parametrize("name", list(BY_NAME))


def way(starttls: str = "smtp", proxy: str = "") -> Opening:
    asked = None if not proxy else parse_proxy(proxy)
    found = asyncio.run(opening(TARGET, starttls=starttls, name="localhost", proxy=asked))
    assert found is not None
    return found


class Server:
    """A proxy's consent where there is one, a dialogue, then TLS: ``answer`` to ``HELLO``."""

    def __init__(self, to: Opening, answer: bytes, in_clear: bytes = b"") -> None:
        self.proxied = to.proxy is None
        self.peer = Peer(SCRIPTS[to.starttls]) if to.starttls else None
        self.envelope = ENVELOPES[to.starttls]() if to.starttls in ENVELOPES else None
        self.answer = answer
        self.in_clear = in_clear
        self.hello = b""

    def begin(self) -> bytes:
        return self.peer.greet() if self.proxied and self.peer is not None else b""

    def receive(self, data: bytes | Paced) -> bytes:
        assert isinstance(data, bytes)
        if not self.proxied:
            assert data.startswith(b"CONNECT ")
            self.proxied = True
            return CONNECTED + self.begin()
        said = b""
        if self.peer is not None:
            peer, self.peer = self.peer, None
            said = peer.receive(data)
            if not peer.agreed:
                self.peer = peer
                return said
            data, said = peer.rest, said + self.in_clear
        before = len(self.hello)
        back = b""
        if self.envelope is not None:
            data, back = self.envelope.open(data)
        self.hello += data
        if before < len(HELLO) <= len(self.hello):
            back += self.answer if self.envelope is None else self.envelope.wrap(self.answer)
        return said + back


def read(to: Opening, server: Server, size: int = 1 << 16, end: str = "close") -> tuple[Answer, Opened]:
    reader = HelloReader()
    ours = Opened(to, reader, HELLO)
    words = server.begin() + server.receive(ours.to_send())
    over = False
    while words and not over:
        answers = b""
        for at in range(0, len(words), size):
            over = ours.feed(words[at : at + size])
            answers += server.receive(ours.to_send())
            if over:
                break
        words = answers
    outcome = Outcome("done" if over else end, 1.0, 0.1, 0.2)
    return behind(ours, reader.answer(HELLO, outcome), outcome), ours


@each_protocol
@pytest.mark.parametrize("proxy", ["", "http://127.0.0.1:1"])
@pytest.mark.parametrize("size", [1, 3, 1 << 16])
def test_the_hello_comes_through_and_so_does_the_answer(name: str, proxy: str, size: int) -> None:
    to = way(name, proxy)
    server = Server(to, server_hello())
    answer, _ = read(to, server, size)
    assert server.hello == HELLO
    assert (answer.kind, answer.sent, answer.received) == ("hello", HELLO, server_hello())
    assert answer.opened
    assert answer.decisive
    assert answer.opening is not None
    assert (answer.opening.phase, answer.opening.offered, answer.opening.clear) == ("tls", True, b"")


@each_protocol
@pytest.mark.parametrize("proxy", ["", "http://127.0.0.1:1"])
def test_a_hello_in_pieces_is_in_pieces_behind_every_dialogue(name: str, proxy: str) -> None:
    to = way(name, proxy)
    server = Server(to, server_hello())
    ours = Opened(to, HelloReader(), Cuts((3, 5), 0.1).paced(HELLO, fin=True))
    words, said = server.begin(), ours.to_send()
    while isinstance(said, bytes):
        assert not ours.feed(words + server.receive(said))
        words, said = b"", ours.to_send()
    assert (said.pause, said.fin, len(said.pieces)) == (0.1, True, 3)
    for piece, length in zip(said.pieces, (3, 5, len(HELLO)), strict=True):
        words = server.receive(piece)
        assert server.hello == HELLO[:length]
    assert ours.feed(words)
    assert ours.to_send() in {b"", words} or name in ENVELOPES


def test_through_a_proxy_without_a_dialogue() -> None:
    to = way("", "http://127.0.0.1:1")
    answer, _ = read(to, Server(to, alert(40)))
    assert answer.label == "alert:handshake_failure"
    assert answer.opening is not None
    assert answer.opening.said == (
        (True, b"CONNECT 192.0.2.1:25 HTTP/1.1\r\nHost: 192.0.2.1:25\r\n\r\n"),
        (False, CONNECTED),
    )


def test_where_to_connect() -> None:
    assert way("smtp").address == TARGET
    assert way("smtp", "http://127.0.0.1:3128").address == Address("127.0.0.1", 3128)
    assert asyncio.run(opening(TARGET)) is None
    with pytest.raises(LookupFailedError, match="gopher"):
        asyncio.run(opening(TARGET, starttls="gopher"))
    with pytest.raises(UsageError, match="cannot be resolved"):
        asyncio.run(opening(TARGET, proxy=Proxy("http", "nosuchhost.invalid", 1)))


@pytest.mark.parametrize("size", [1, 2, 1 << 16])
@pytest.mark.parametrize("words", [b"250 injected\r\n", b"\r\n\t 250-a\r\n250 injected\r\n"])
def test_what_is_said_in_clear_before_tls_is_told_and_not_fed_to_tls(words: bytes, size: int) -> None:
    to = way("smtp")
    answer, _ = read(to, Server(to, server_hello(), words), size)
    assert (answer.kind, answer.received) == ("hello", server_hello())
    assert answer.opening is not None
    assert answer.opening.clear == words.strip()
    assert answer.opening.said[-1] == (False, words)


@pytest.mark.parametrize("size", [1, 1 << 16])
def test_blanks_before_tls_are_no_words(size: int) -> None:
    to = way("xmpp-client")
    answer, _ = read(to, Server(to, server_hello(), b" \r\n"), size)
    assert (answer.kind, answer.opening and answer.opening.clear) == ("hello", b"")


def test_records_right_behind_the_go_ahead_are_tls() -> None:
    to = way("smtp")
    answer, _ = read(to, Server(to, b"", alert(112, 1) + server_hello()))
    assert answer.kind == "hello"
    assert len(answer.warnings) == 1


@pytest.mark.parametrize("end", ["close", "timeout", "reset"])
@pytest.mark.parametrize("size", [1, 1 << 16])
def test_words_instead_of_tls_are_the_answer(end: str, size: int) -> None:
    to = way("smtp")
    answer, _ = read(to, Server(to, b"454 TLS is broken\r\n"), size, end)
    assert (answer.kind, answer.opened) == ("not-tls", True)
    assert answer.reason == "goes on in clear after its go-ahead: 454 TLS is broken"


def test_endless_words_instead_of_tls_are_cut_off() -> None:
    to = way("smtp")
    answer, ours = read(to, Server(to, b"word " * 2000), 100)
    assert answer.kind == "not-tls"
    assert ours.feed(b"x")
    assert len(ours.transcript().said[-1][1]) <= MAX_CLEAR + 101


def test_silence_after_the_go_ahead_is_about_the_hello() -> None:
    to = way("smtp")
    answer, _ = read(to, Server(to, b""), end="timeout")
    assert (answer.kind, answer.opened, answer.sent) == ("timeout", True, HELLO)


class Fixed(Server):
    """Says these words whatever it hears."""

    def __init__(self, *words: bytes) -> None:
        self.words = list(words)

    def begin(self) -> bytes:
        return b""

    def receive(self, _: bytes | Paced) -> bytes:
        return self.words.pop(0) if self.words else b""


@pytest.mark.parametrize(
    ("proxy", "words", "end", "kind", "reason"),
    [
        ("", [b"421 too many\r\n"], "close", "starttls", "refuses STARTTLS (smtp): 421 too many"),
        ("", [b"HTTP/1.1 400 No\r\n"], "close", "starttls", "does not speak smtp: HTTP/1.1 400 No"),
        ("", [b""], "close", "close", "closes the connection in the smtp dialogue before it has said anything"),
        ("", [b""], "timeout", "timeout", "says nothing in the smtp dialogue within the timeout"),
        ("", [b"220 hi\r\n"], "reset", "reset", "resets the connection in the smtp dialogue, after: 220 hi"),
        (
            "",
            [b"220 hi\r\n", b"250-x\r\n"],
            "timeout",
            "timeout",
            "says nothing more in the smtp dialogue, after: 250-x",
        ),
        (
            "http://u:s3same@127.0.0.1:1",
            [b"HTTP/1.1 403 No\r\n\r\n"],
            "close",
            "proxy",
            "the proxy http://127.0.0.1:1 refuses: HTTP/1.1 403 No",
        ),
        (
            "socks5://u:s3same@127.0.0.1:1",
            [b"\x05\x02"],
            "close",
            "close",
            "the proxy socks5://127.0.0.1:1 closes the connection in the SOCKS5 dialogue, after: \\x05\\x02",
        ),
        (
            "http://u:s3same@127.0.0.1:1",
            [CONNECTED + b"554 no\r\n"],
            "close",
            "starttls",
            "refuses STARTTLS (smtp): 554 no",
        ),
    ],
)
def test_what_ends_before_the_hello_says_nothing_about_it(
    proxy: str, words: list[bytes], end: str, kind: str, reason: str
) -> None:
    answer, _ = read(way("smtp", proxy), Fixed(*words), end=end)
    assert (answer.kind, answer.reason) == (kind, reason)
    assert (answer.opened, answer.decisive, answer.accepts, answer.sent) == (False, False, False, b"")
    assert answer.opening is not None
    assert "s3same" not in repr(answer)


@pytest.mark.parametrize("url", ["http://u:s3same@127.0.0.1:1", "socks5://u:s3same@127.0.0.1:1"])
@pytest.mark.parametrize("end", ["\r\n\r\n<h1>Basic dTpzM3NhbWU= s3same</h1>", "\r\n\r\n", ""])
def test_a_proxy_that_repeats_the_password_does_not_give_it_away(url: str, end: str) -> None:
    words = f"HTTP/1.1 400 You said Basic dTpzM3NhbWU= and s3same{end}".encode()
    answer, _ = read(way("smtp", url), Fixed(words))
    assert "400 You said Basic *** and ***" in answer.reason
    for secret in ("s3same", "dTpzM3NhbWU="):
        assert secret not in repr(answer)


@pytest.mark.parametrize(
    ("proxy", "end", "kind", "reason"),
    [
        ("", "refused", "refused", "cannot connect: Connection refused"),
        ("", "timeout", "timeout", "cannot connect: no answer within the timeout"),
        (
            "http://127.0.0.1:1",
            "refused",
            "proxy",
            "cannot connect to the proxy http://127.0.0.1:1: Connection refused",
        ),
        ("http://127.0.0.1:1", "exhausted", "exhausted", "cannot connect to the proxy http://127.0.0.1:1: Too many"),
    ],
)
def test_who_cannot_be_reached_is_told(proxy: str, end: str, kind: str, reason: str) -> None:
    reader = HelloReader()
    ours = Opened(way("smtp", proxy), reader, HELLO)
    why = {"refused": "Connection refused", "exhausted": "Too many"}.get(end, "")
    outcome = Outcome(end, 1.0, 0.0, 0.2, why)
    answer = behind(ours, reader.answer(HELLO, outcome), outcome)
    assert (answer.kind, answer.reason, answer.opened) == (kind, reason, False)


@pytest.mark.parametrize(
    ("name", "answer"), [("tds", b"HTTP/1.1 400 Bad Request\r\n"), ("openvpn-tcp", b"\xff\xff garbage ")]
)
def test_broken_packets_after_the_hello_are_a_fault(name: str, answer: bytes) -> None:
    to = way(name)
    server = Server(to, b"")
    server.envelope = None
    reader = HelloReader()
    ours = Opened(to, reader, HELLO)
    assert not ours.feed(server.begin() + server.receive(ours.to_send()))
    assert ours.to_send()
    assert ours.feed(answer)
    outcome = Outcome("done", 1.0, 0.1, 0.2)
    told = behind(ours, reader.answer(HELLO, outcome), outcome)
    assert (told.kind, told.opened) == ("fault", True)
    assert told.reason.startswith(f"breaks the packets of {name}: ")


class Talker:
    """A reader that answers what it hears, and is patient for a while."""

    patience = 1.5

    def __init__(self) -> None:
        self.heard = b""

    def feed(self, data: bytes) -> bool:
        self.heard += data
        return self.heard.endswith(b"!")

    def to_send(self) -> bytes:
        return self.heard[-1:]


@each_protocol
def test_whatever_reader_there_is_may_talk_on(name: str) -> None:
    to = way(name)
    inner = Talker()
    ours = Opened(to, inner, HELLO)
    server = Server(to, b"\x16a")
    patience = [ours.patience]
    words = server.begin() + server.receive(ours.to_send())
    while not inner.heard:
        assert not ours.feed(words)
        words = server.receive(ours.to_send())
    assert inner.heard == b"\x16a"
    assert server.hello == HELLO + b"a"
    assert [*patience, ours.patience] == [None, 1.5]
    assert ours.feed(b"!" if server.envelope is None else server.envelope.wrap(b"!"))


@each_protocol
@given(data=st.lists(st.binary(min_size=1, max_size=60), max_size=8))
def test_random_bytes_never_raise(name: str, data: list[bytes]) -> None:
    reader = HelloReader()
    ours = Opened(way(name), reader, HELLO)
    over = any(ours.feed(piece) for piece in data)
    outcome = Outcome("done" if over else "close", 1.0, 0.1, 0.2)
    answer = behind(ours, reader.answer(HELLO, outcome), outcome)
    assert answer.reason.isprintable()
    assert answer.kind != "done"
