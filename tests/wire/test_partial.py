"""Hellos cut short: exactly the whole fields, items and extensions before the cut, read again from the offsets here."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlswire.wire.dtls import encode_dtls_client_hello
from tlswire.wire.handshake import CLIENT_HELLO_BODY, SERVER_HELLO_BODY, parse_client_hello, parse_server_hello
from tlswire.wire.messages import HRR_RANDOM, ClientHello, Extension, ServerHello
from tlswire.wire.partial import has_whole_lists, parse_partial_client_hello, parse_partial_server_hello
from tlswire.wire.primitives import build

from .values import as_retry, values

if TYPE_CHECKING:
    from collections.abc import Callable

few = settings(max_examples=200, deadline=None, database=None, derandomize=True)
RANDOM = bytes(range(32))
HELLO = ClientHello(
    0x0303, RANDOM, b"session", (0x1301, 0xC02F), (0,), (Extension(0, b"name"), Extension(43, b"\x02\x03\x04"))
)
DRAFT = ServerHello(0x7F12, RANDOM, b"", 0x1301, 0, (Extension(40, b"\x00\x1d"),))


def before(extensions: tuple[Extension, ...], room: int) -> tuple[Extension, ...]:
    """The extensions that end within ``room`` bytes."""
    ends = accumulate(4 + len(item.data) for item in extensions)
    return tuple(item for item, end in zip(extensions, ends, strict=True) if end <= room)


def beginning(hello: ClientHello, cut: int, gap: int = 0) -> ClientHello | None:
    """What is left of ``hello`` after ``cut`` bytes; ``gap`` bytes stand between session id and suites."""
    if cut < 34:
        return None
    codes = 35 + len(hello.session_id) + gap + 2
    methods = codes + 2 * len(hello.suites) + 1
    block = methods + len(hello.compression) + 2
    return ClientHello(
        hello.legacy_version,
        hello.random,
        hello.session_id if cut >= 35 + len(hello.session_id) else b"",
        hello.suites[: max(cut - codes, 0) // 2],
        hello.compression[: max(cut - methods, 0)],
        before(hello.extensions, cut - block) if hello.extensions is not None and cut >= block else None,
    )


@few
@given(hello=values(CLIENT_HELLO_BODY), data=st.data())
def test_any_beginning_of_a_client_hello_gives_what_is_whole_in_it(hello: ClientHello, data: st.DataObject) -> None:
    body = build(CLIENT_HELLO_BODY, hello)
    cut = data.draw(st.integers(0, len(body)))
    assert parse_partial_client_hello(body[:cut]) == beginning(hello, cut)


@few
@given(hello=values(CLIENT_HELLO_BODY), cookie=st.binary(max_size=255), data=st.data())
def test_any_beginning_of_a_dtls_client_hello_passes_over_the_cookie(
    hello: ClientHello, cookie: bytes, data: st.DataObject
) -> None:
    body = encode_dtls_client_hello(hello, cookie)
    cut = data.draw(st.integers(0, len(body)))
    assert parse_partial_client_hello(body[:cut], cookie=True) == beginning(hello, cut, 1 + len(cookie))


def test_every_cut_of_one_hello() -> None:
    body = build(CLIENT_HELLO_BODY, HELLO)
    assert [parse_partial_client_hello(body[:cut]) for cut in range(len(body) + 1)] == [
        beginning(HELLO, cut) for cut in range(len(body) + 1)
    ]
    assert parse_partial_client_hello(body) == HELLO == parse_client_hello(body)


@few
@given(
    hello=values(SERVER_HELLO_BODY),
    form=st.sampled_from([lambda hello: hello, as_retry]),
    version=st.sampled_from([None, 0x7F00, 0x7F15, 0x7F16, 0x0304]),
    data=st.data(),
)
def test_any_beginning_of_a_server_hello_gives_what_is_whole_in_it(
    hello: ServerHello, form: Callable[[ServerHello], ServerHello], version: int | None, data: st.DataObject
) -> None:
    draft = version in {0x7F00, 0x7F15} and form is not as_retry
    hello = form(msgspec.structs.replace(hello, legacy_version=0x0303 if version is None else version))
    if draft:
        hello = msgspec.structs.replace(hello, session_id=b"", compression=0)
    body = (
        hello.legacy_version.to_bytes(2, "big")
        + hello.random
        + (b"" if draft else bytes((len(hello.session_id),)) + hello.session_id)
        + hello.suite.to_bytes(2, "big")
        + (b"" if draft else bytes((hello.compression,)))
    )
    fixed = len(body)
    if hello.extensions is not None:
        block = b"".join(
            item.type.to_bytes(2, "big") + len(item.data).to_bytes(2, "big") + item.data for item in hello.extensions
        )
        body += len(block).to_bytes(2, "big") + block
    assert parse_server_hello(body) == parse_partial_server_hello(body) == hello
    cut = data.draw(st.integers(0, len(body)))
    found = parse_partial_server_hello(body[:cut])
    if cut < fixed:
        assert found is None
    else:
        extensions = (
            before(hello.extensions, cut - fixed - 2) if hello.extensions is not None and cut >= fixed + 2 else None
        )
        assert found == msgspec.structs.replace(hello, extensions=extensions)


def test_draft_server_hello_has_neither_session_id_nor_compression() -> None:
    body = build(SERVER_HELLO_BODY, DRAFT)
    assert len(body) == 34 + 2 + 2 + 6
    assert parse_partial_server_hello(body) == DRAFT
    assert parse_partial_server_hello(body[:-1]) == msgspec.structs.replace(DRAFT, extensions=())
    assert parse_partial_server_hello(body[:35]) is None


def test_retry_with_a_draft_version_has_the_fields_of_today() -> None:
    body = b"\x7f\x12" + HRR_RANDOM + b"\x00" + b"\x13\x01" + b"\x00" + b"\x00\x00"
    assert parse_partial_server_hello(body) == parse_server_hello(body)


@few
@given(data=st.binary(max_size=120), head=st.booleans(), cookie=st.booleans())
def test_random_bytes_are_read_without_an_exception(data: bytes, head: bool, cookie: bool) -> None:
    body = b"\x03\x03" + RANDOM + data if head else data
    hello = parse_partial_client_hello(body, cookie=cookie)
    assert (hello is None) == (len(body) < 34)
    if hello is not None:
        assert 2 * len(hello.suites) + len(hello.compression) <= len(body)
        assert sum(4 + len(item.data) for item in hello.extensions or ()) <= len(body)
        assert all(item.data in body for item in hello.extensions or ())
    answer = parse_partial_server_hello(body)
    assert answer is None or len(body) >= 36
    assert has_whole_lists(body) in {True, False}


@few
@given(hello=values(CLIENT_HELLO_BODY), data=st.data())
def test_lists_are_whole_only_where_a_field_and_the_body_end_together(hello: ClientHello, data: st.DataObject) -> None:
    body = build(CLIENT_HELLO_BODY, hello)
    suites = 37 + len(hello.session_id) + 2 * len(hello.suites)
    ends = {suites, suites + 1 + len(hello.compression), len(body)}
    if hello.extensions is not None:
        assert has_whole_lists(body + b"behind the extensions")
    for cut in {*ends, data.draw(st.integers(0, len(body)))}:
        assert has_whole_lists(body[:cut]) == (cut in ends)


HEAD = b"\x03\x03" + RANDOM
LEFT_OUT = b"\x00\x00\x02\x13\x01\x01\x00"


@pytest.mark.parametrize(
    ("rest", "whole"),
    [
        (b"\x00\x00\x02\x13\x01", True),  # no compression methods
        (b"\x00\x00\x00\x00\x00\x00", True),  # empty lists (RFC 9846 section 4.2.2 wants one of each) are whole
        (b"\x00\x00\x02\x13\x01\x00\x00\x00", True),  # no compression method
        (b"\x21" + bytes(33) + LEFT_OUT[1:] + b"\x00\x00", True),  # a session id of 33 bytes
        (b"\x00\x00\x03\x13\x01\x13", False),  # half a suite
        (b"\x00\x00\x04\x13\x01", False),
        (b"\x05\x00\x00", False),
        (b"\x00\x00\x02\x13\x01\x02\x00", False),  # a length of compression methods that lies
        (LEFT_OUT, True),
        (LEFT_OUT + b"\x00", False),
        (LEFT_OUT + b"\x00\x00", True),
        (LEFT_OUT + b"\x00\x04\x00\x17\x00\x00", True),
        (LEFT_OUT + b"\x00\x05\x00\x17\x00\x00", False),  # the block is said to be longer
        (LEFT_OUT + b"\x00\x05\x00\x17\x00\x00\x00", False),  # half a header behind the last extension
        (LEFT_OUT + b"\x00\x05\x00\x17\x00\x02\x00", False),  # the extension leaves its block
        (LEFT_OUT + b"\x00\x04\x00\x17\x00\x00left over", True),
    ],
)
def test_lengths_that_lie_are_no_whole_lists(rest: bytes, whole: bool) -> None:
    assert has_whole_lists(HEAD + rest) == whole


def test_extension_that_leaves_its_block_ends_the_reading() -> None:
    body = HEAD + LEFT_OUT + b"\x00\x09" + b"\x00\x17\x00\x00" + b"\x00\x00\x00\x02\x00" + b"outside"
    hello = parse_partial_client_hello(body)
    assert hello is not None
    assert hello.extensions == (Extension(23, b""),)
