from __future__ import annotations

import asyncio
import base64
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlswire.errors import UsageError
from tlswire.probe.dialogue import Talk
from tlswire.probe.proxy import Proxy, addresses, parse_proxy, resolved, steps
from tlswire.probe.transport import UNRESOLVED, Address

NAME, FOUR, SIX = (
    Address("a.example", 443, UNRESOLVED),
    Address("192.0.2.1", 25),
    Address("2001:db8::1", 25, socket.AF_INET6),
)
SECRET = "p:w%&\u2603 s3same"


def dialogue(url: str, target: Address = FOUR) -> Talk:
    return Talk("x", steps(parse_proxy(url), target))


def through(ours: Talk, *answers: bytes) -> list[bytes]:
    """What is said to a proxy that gives these answers."""
    said = [ours.to_send()]
    for answer in answers:
        ours.feed(answer)
        said.append(ours.to_send())
    return [words for words in said if words]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://proxy.example:3128", "http://proxy.example:3128"),
        ("http://proxy.example:3128/", "http://proxy.example:3128"),
        ("HTTP://PROXY.example:3128", "http://proxy.example:3128"),
        ("socks5://192.0.2.7:1080", "socks5://192.0.2.7:1080"),
        ("socks5h://[2001:db8::7]:1080", "socks5h://[2001:db8::7]:1080"),
        ("socks5h://somebody:s3same@h.example:1", "socks5h://h.example:1"),
    ],
)
def test_urls(url: str, shown: str) -> None:
    proxy = parse_proxy(url)
    assert str(proxy) == shown
    assert repr(proxy) == f"Proxy({shown!r})"


def test_user_and_password_are_decoded() -> None:
    proxy = parse_proxy("socks5://a%40b:p%3Aw%25@h.example:1")
    assert (proxy.user, proxy.password) == ("a@b", "p:w%")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "proxy.example:3128",
        "https://u:s3same@h.example:1",
        "ftp://u:s3same@h.example:1",
        "http://u:s3same@h.example",
        "http://u:s3same@:3128",
        "http://u:s3same@h.example:0",
        "http://u:s3same@h.example:65536",
        "http://u:s3same@h.example:x",
        "http://u:s3same@h.example:1/path",
        "http://u:s3same@h.example:1?query",
        "http://u:s3same@h.example:1#part",
        "http://u:s3same@[::1:1",
        "http://u:s3same@a b.example:1",
        "http://a%3Ab:s3same@h.example:1",
        f"socks5://{'u' * 256}:s3same@h.example:1",
        "socks5://s3same:" + "\u2603" * 86 + "@h.example:1",
    ],
)
def test_bad_urls_are_told_without_their_secrets(url: str) -> None:
    with pytest.raises(UsageError, match=r"^proxy") as caught:
        parse_proxy(url)
    assert "s3same" not in str(caught.value)
    assert "\u2603" not in str(caught.value)


@given(st.text(max_size=60))
def test_random_urls_are_a_proxy_or_a_usage_error(text: str) -> None:
    for url in (text, f"socks5://{text}", f"http://{text}@h.example:1"):
        try:
            proxy = parse_proxy(url)
        except UsageError:
            continue
        assert 0 < proxy.port < 65536


@pytest.mark.parametrize(
    ("target", "authority"), [(NAME, "a.example:443"), (FOUR, "192.0.2.1:25"), (SIX, "[2001:db8::1]:25")]
)
def test_connect(target: Address, authority: str) -> None:
    ours = dialogue("http://h:1", target)
    said = through(ours, b"HTTP/1.1 200 Connection established\r\nContent-Length: 9\r\n\r\n220 hi")
    assert said == [f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode()]
    assert (ours.ready, ours.rest) == (True, b"220 hi")


def test_connect_with_a_password_that_is_sent_and_not_kept() -> None:
    ours = Talk("x", steps(Proxy("http", "h", 1, "us\u00e9r", SECRET), FOUR))
    (said,) = through(ours)
    secret = base64.b64encode(f"us\u00e9r:{SECRET}".encode())
    assert b"\r\nProxy-Authorization: Basic " + secret + b"\r\n" in said
    ((_, kept),) = ours.said
    assert kept == said.replace(secret, b"***")


@pytest.mark.parametrize(
    ("target", "asked"),
    [
        (NAME, b"\x05\x01\x00\x03\x09a.example\x01\xbb"),
        (FOUR, b"\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x19"),
        (SIX, b"\x05\x01\x00\x04" + bytes.fromhex("20010db8000000000000000000000001") + b"\x00\x19"),
    ],
)
@pytest.mark.parametrize("bound", [b"\x01\x7f\0\0\x01\0\x07", b"\x04" + bytes(18), b"\x03\x03abc\0\x07"])
def test_socks(target: Address, asked: bytes, bound: bytes) -> None:
    ours = dialogue("socks5h://h:1", target)
    assert through(ours, b"\x05\x00", b"\x05\x00\x00" + bound + b"rest") == [b"\x05\x01\x00", asked]
    assert (ours.ready, ours.rest) == (True, b"rest")


def test_socks_with_a_password_that_is_sent_and_not_kept() -> None:
    ours = Talk("x", steps(Proxy("socks5", "h", 1, "user", SECRET), FOUR))
    hello, who, asked = through(ours, b"\x05\x02", b"\x01\x00")
    secret = SECRET.encode()
    assert (hello, who) == (b"\x05\x02\x00\x02", b"\x01\x04user" + bytes([len(secret)]) + secret)
    assert asked.startswith(b"\x05\x01")
    assert not any(secret in words or b"user" in words for _, words in ours.said)


def test_socks_with_a_password_that_nobody_asks_for() -> None:
    ours = dialogue("socks5://user:s3same@h:1")
    assert len(through(ours, b"\x05\x00")) == 2


@pytest.mark.parametrize(
    ("url", "answers", "says"),
    [
        ("http://h:1", [b"HTTP/1.1 403 Forbidden\r\nX: y\r\n\r\n<html>no"], "refuses: HTTP/1.1 403 Forbidden"),
        ("http://h:1", [b"HTTP/1.0 407 Who?\r\n\r\n"], "refuses: HTTP/1.0 407 Who?"),
        ("http://h:1", [b"HTTP/1.1 2000\r\n\r\n"], "refuses: HTTP/1.1 2000"),
        ("http://h:1", [b"HTTP/1.1 \x1b[31m\r\n\r\n"], "refuses: HTTP/1.1 \\x1b[31m"),
        ("http://h:1", [b"SSH-2.0-x\r\n"], "does not speak x: SSH-2.0-x"),
        ("http://h:1", [b"\x15\x03\x01\x00\x02\x02\x16"], "speaks TLS from the first byte"),
        ("socks5://h:1", [b"\x05\xff"], "refuses: it wants a user name and password"),
        ("socks5://u:p@h:1", [b"\x05\xff"], "refuses: none of our ways to authenticate will do"),
        ("socks5://h:1", [b"\x05\x01"], "refuses: it wants authentication method 1"),
        ("socks5://u:p@h:1", [b"\x05\x02", b"\x01\x01"], "refuses: wrong user name or password"),
        ("socks5://h:1", [b"\x05\x00", b"\x05\x05\x00\x01" + bytes(6)], "refuses: connection refused"),
        ("socks5://h:1", [b"\x05\x00", b"\x05\x02\x00\x00"], "refuses: connection not allowed by its rules"),
        ("socks5://h:1", [b"\x05\x00", b"\x05\x63\x00\x01" + bytes(6)], "refuses: reply 99"),
        ("socks5://h:1", [b"\x05\x00", b"\x05\x00\x00\x09" + bytes(6)], "does not speak x"),
        ("socks5://h:1", [b"\x04\x00"], "does not speak x"),
        ("socks5://h:1", [b"HTTP/1.1 400 Bad Request\r\n\r\n"], "does not speak x: HTTP/1.1 400 Bad Request"),
    ],
)
def test_refusals(url: str, answers: list[bytes], says: str) -> None:
    ours = dialogue(url)
    through(ours, *answers)
    assert ours.refusal.startswith(says)
    assert ours.refusal.isprintable()


GOOD = {
    "http://u:p@h:1": b"HTTP/1.1 200 OK\r\nX: y\r\n\r\n",
    "socks5://u:p@h:1": b"\x05\x02\x01\x00\x05\x00\x00\x03\x03abc\x00\x01",
    "socks5h://h:1": b"\x05\x00\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x01",
}


@pytest.mark.parametrize(("url", "answer"), GOOD.items())
def test_byte_by_byte_and_no_sooner(url: str, answer: bytes) -> None:
    ours = dialogue(url)
    assert [ours.feed(answer[at : at + 1]) for at in range(len(answer))] == [False] * (len(answer) - 1) + [True]
    assert (ours.ready, ours.refusal) == (True, "")


@pytest.mark.parametrize("url", GOOD)
@given(data=st.lists(st.binary(min_size=1, max_size=40), max_size=6))
def test_random_bytes_end_in_a_line_or_in_waiting(url: str, data: list[bytes]) -> None:
    ours = dialogue(url)
    through(ours, *data)
    assert ours.refusal.isprintable()


def test_who_resolves() -> None:
    for scheme, here in (("http", False), ("socks5h", False), ("socks5", True)):
        proxy = parse_proxy(f"{scheme}://127.0.0.1:1")
        (found, *_) = asyncio.run(addresses("localhost", 7, proxy))
        assert (found.family != UNRESOLVED) is here
        assert asyncio.run(addresses("192.0.2.1", 7, proxy)) == (Address("192.0.2.1", 7),)
    with pytest.raises(UsageError, match="no host name"):
        asyncio.run(addresses("a\r\nb", 7, parse_proxy("http://127.0.0.1:1")))


def test_a_proxy_is_resolved_once() -> None:
    proxy = asyncio.run(resolved(parse_proxy("http://127.0.0.1:1")))
    assert proxy is not None
    assert proxy.at == Address("127.0.0.1", 1)
    assert asyncio.run(resolved(proxy)) is proxy
    assert asyncio.run(resolved(None)) is None
    with pytest.raises(UsageError, match="cannot be resolved"):
        asyncio.run(resolved(parse_proxy("http://nosuchhost.invalid:1")))
