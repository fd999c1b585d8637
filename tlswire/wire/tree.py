"""Bytes as a tree of named fields with offsets: what ``tlswire decode`` shows.

``explain`` recognises what it was given and never raises on bad bytes: the tree holds what was readable and an
``error`` node (path, reason, byte offset) where reading ended. The grammars do the work; this module only finds the
one that applies. Must not import anything of tlswire but ``errors``, ``registry`` and the rest of ``wire``; no I/O.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

from tlswire.errors import UsageError, WireError
from tlswire.registry import ALERTS, CONTENT_TYPES, HANDSHAKE_TYPES, VERSIONS
from tlswire.wire.cursor import Cursor, Node, named, trace, traced
from tlswire.wire.dumps import read_input
from tlswire.wire.extensions import decode_extension
from tlswire.wire.handshake import (
    BODIES,
    CLIENT_HELLO_BODY,
    HANDSHAKE_STREAM,
    SERVER_HELLO,
    SERVER_HELLO_BODY,
    Extensions,
    body_grammar,
    parse_server_hello,
)
from tlswire.wire.primitives import Rest, parse
from tlswire.wire.records import ALERT, ALERT_BODY, CHANGE_CIPHER_SPEC, HANDSHAKE, RECORD, Deframer
from tlswire.wire.sslv2 import SSLV2_BODIES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tlswire.wire.messages import Extension
    from tlswire.wire.primitives import Grammar

__all__ = ["KINDS", "explain", "read_input", "render"]

_SSLV2_NAMES = {0: "sslv2_error", 1: "sslv2_client_hello", 4: "sslv2_server_hello"}
_EXTENSION_MESSAGES = ("ch", "sh", "ee", "hrr", "ct", "cr", "nst")
# A certificate, a request and a signature read differently in each; without a ServerHello the first that fits is it.
_GUESSES = (0x0303, 0x0304, 0x0301)


def explain(data: bytes, kind: str = "auto") -> Node:
    """The tree of ``data``; offsets count from its first byte.

    ``kind`` is one of ``KINDS``, or ``auto`` to recognise it by content. Raises UsageError for another kind only.
    """
    if kind != "auto" and kind not in KINDS:
        raise UsageError(ascii(kind), f"no such kind; known are auto, {', '.join(KINDS)}")
    found = _recognise(data) if kind == "auto" else kind
    if found is None:
        reason = "neither records, a handshake message, an alert nor an extensions block"
        return Node("bytes", 0, len(data), data, data.hex(), [Node("error", 0, len(data), text=reason)])
    tree = KINDS[found](data)
    _note_errors(tree, "")
    return tree


def render(node: Node, limit: int = 120) -> list[str]:
    """One line a node, children indented: offset, length, name, value (printable ASCII, cut after ``limit``)."""
    lines: list[str] = []
    _render(node, 0, limit, lines)
    return lines


def _render(node: Node, depth: int, limit: int, lines: list[str]) -> None:
    text = _ascii(node.text)
    if len(text) > limit:
        text = f"{text[:limit]}... ({len(text)} characters)"
    lines.append(f"0x{node.start:04x} {node.end - node.start:6d}  {'  ' * depth}{_ascii(node.name)}  {text}".rstrip())
    for child in node.children:
        _render(child, depth + 1, limit, lines)


def _ascii(text: str) -> str:
    return "".join(char if " " <= char <= "~" else char.encode("unicode_escape").decode("ascii") for char in text)


class _Session:
    """What the messages read so far say about those that follow."""

    def __init__(self) -> None:
        self.version: int | None = None
        self.suite = 0

    def grammar(self, kind: int, body: bytes) -> Grammar:
        candidates = [body_grammar(kind, v, self.suite) for v in ((self.version,) if self.version else _GUESSES)]
        return next((grammar for grammar in candidates if _fits(grammar, body)), candidates[0])

    def note(self, kind: int, body: bytes) -> None:
        if kind != SERVER_HELLO:
            return
        try:
            hello = parse_server_hello(body)
        except WireError:
            return
        self.version, self.suite = hello.version, hello.suite


def _fits(grammar: Grammar, data: bytes) -> bool:
    try:
        parse(grammar, data)
    except WireError:
        return False
    return True


def _message(data: bytes, base: int, session: _Session) -> Node:
    """One handshake message, whole or cut short, that begins at byte ``base`` of the input."""
    end = base + len(data)
    kind = data[0]
    node = Node(HANDSHAKE_TYPES[kind].name if kind in HANDSHAKE_TYPES else "handshake", base, end)
    node.children.append(Node("type", base, base + 1, kind, named(HANDSHAKE_TYPES, kind)))
    length = int.from_bytes(data[1:4], "big")
    node.children.append(Node("length", min(base + 1, end), min(base + 4, end), length, str(length)))
    body = data[4:]
    if len(data) < 4 or len(body) < length:
        reason = f"length says {length} bytes, {len(body)} left" if len(data) >= 4 else "the header needs 4 bytes"
        node.error = f"{reason} at byte {base + min(len(data), 1)}"
        if not body:
            return node
    below = trace(session.grammar(kind, body), body, "body", base + 4)
    session.note(kind, body)
    node.error = node.error or below.error
    node.children += below.children or ([below] if body else [])
    return node


def _handshake(data: bytes) -> Node:
    root, session, at = Node("handshake", 0, len(data)), _Session(), 0
    while at < len(data):
        end = at + 4 + int.from_bytes(data[at + 1 : at + 4], "big")
        root.children.append(_message(data[at:end], at, session))
        at = end
    return root.children[0] if len(root.children) == 1 else root


class _Walk:
    """A stream of TLS and SSLv2 records: the Deframer finds the messages, this puts them below their records."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.root = Node("records", 0, len(data))
        self.session = _Session()
        self.deframer = Deframer()
        self.broken = False
        self.protected = False
        self.content = HANDSHAKE
        self.open: list[tuple[int, bytes]] = []  # (offset, bytes) of handshake or alert fragments not yet used up

    def tree(self) -> Node:
        at = 0
        while at < len(self.data):
            step = self.sslv2_record if self.data[at] & 0x80 else self.record
            at = step(at)
        while self.open:
            held = b"".join(piece for _, piece in self.open)
            size = 4 + int.from_bytes(held[1:4], "big") if self.content == HANDSHAKE and len(held) >= 4 else len(held)
            self.root.children.append(self._message(size))
        return self.root

    def record(self, at: int) -> int:
        if self.data[at] not in CONTENT_TYPES:
            reason = f"0x{self.data[at]:02x} begins no TLS or SSLv2 record"
            self.root.children.append(Node("error", at, len(self.data), text=reason))
            return len(self.data)
        end = min(at + 5 + int.from_bytes(self.data[at + 3 : at + 5], "big"), len(self.data))
        node = self._add(Node("record", at, end))
        try:
            value = traced(RECORD, Cursor(self.data[at:end], at, node), "tls")
        except WireError:
            value = None
        node.children = node.children[0].children
        if self.data[at] in {HANDSHAKE, ALERT} and end > at + 5 and (value is not None or not self.protected):
            self.content = self.data[at]
            self.open.append((at + 5, self.data[at + 5 : end]))
        if value is not None:
            node.children[-1].text = f"{len(value.fragment)} bytes"
            self._messages(at, end, node.children[-1])
        return end

    def sslv2_record(self, at: int) -> int:
        length = int.from_bytes(self.data[at : at + 2], "big") & 0x7FFF
        end = min(at + 2 + length, len(self.data))
        node = self._add(Node("sslv2_record", at, end))
        node.children.append(Node("length", at, min(at + 2, end), length, str(length)))
        if end < at + 2 + length or not length:
            text = f"length says {length} bytes, {max(end - at - 2, 0)} left"
            node.children.append(Node("error", end, end, text=text))
        if end > at + 2:
            node.children.append(_sslv2_message(self.data[at + 2 : end], at + 2))
        self.deframer.feed(self.data[at:end])
        return end

    def _add(self, node: Node) -> Node:
        self.root.children.append(node)
        return node

    def _messages(self, at: int, end: int, fragment: Node) -> None:
        if self.broken:
            self.open.clear()
            return
        for message in self.deframer.feed(self.data[at:end]):
            whole = message.offset == at + 5 and len(message.body) == end - at - 5
            if message.content == HANDSHAKE and not whole:
                fragment.children.append(self._message(4 + len(message.body)))
            elif message.content == ALERT and len(message.body) == 2:
                fragment.children.append(self._message(2))
            else:
                self.open.clear()
                self.protected = self.protected or message.content == CHANGE_CIPHER_SPEC
                note = " (protected)" if message.content in {HANDSHAKE, ALERT} else ""
                name = CONTENT_TYPES[message.content].name + note
                fragment.children.append(Node(name, at + 5, end, message.body, message.body.hex()))
        error = self.deframer.error
        if error is not None:
            self.broken = True
            self.open.clear()
            offset = end if error.offset is None else error.offset
            fragment.children.append(Node("error", offset, offset, text=str(error)))

    def _message(self, size: int) -> Node:
        body, where = self._take(size)
        content = self.content
        node = _message(body, 0, self.session) if content == HANDSHAKE else trace(ALERT_BODY, body, "alert")
        if len(where) > 1:
            node.text = f"in {len(where)} records"
        return _moved(node, where)

    def _take(self, count: int) -> tuple[bytes, list[tuple[int, int]]]:
        """The next ``count`` bytes and, for each run of them, its place in the message and in the input."""
        taken = bytearray()
        where: list[tuple[int, int]] = []
        while self.open and len(taken) < count:
            offset, piece = self.open.pop(0)
            part = piece[: count - len(taken)]
            where.append((len(taken), offset))
            taken += part
            if len(part) < len(piece):
                self.open.insert(0, (offset + len(part), piece[len(part) :]))
        return bytes(taken), where


_AT_BYTE = re.compile(r" at byte (\d+)$")
_HAS_PATH = re.compile(r"[\w.\[\]]+: ")


def _moved(node: Node, where: list[tuple[int, int]]) -> Node:
    """``node`` with its offsets in a reassembled message turned into offsets in the input."""

    def place(at: int) -> int:
        start, offset = next(run for run in reversed(where) if run[0] <= at)
        return at - start + offset

    node.end = place(max(node.end - 1, node.start)) + (node.end > node.start)
    node.start = place(node.start)
    node.error = _AT_BYTE.sub(lambda found: f" at byte {place(int(found[1]))}", node.error)
    for child in node.children:
        _moved(child, where)
    return node


def _sslv2_message(data: bytes, base: int) -> Node:
    name = _SSLV2_NAMES.get(data[0], "sslv2_message")
    body = trace(SSLV2_BODIES.get(data[0], Rest()), data[1:], name, base + 1)
    kind = Node("type", base, base + 1, data[0], str(data[0]))
    return Node(name, base, base + len(data), None, body.text, [kind, *body.children], body.error)


def _extensions(data: bytes) -> Node:
    """An extensions block, read as the first message all of its bodies fit."""
    found: tuple[Extension, ...] = ()
    with contextlib.suppress(WireError):
        found = parse(Extensions("ch"), data)
    message = next((name for name in _EXTENSION_MESSAGES if all(_decodes(item, name) for item in found)), "ch")
    node = trace(Extensions(message), data, "extensions")
    node.text = f"{node.text} (read as {message})".lstrip()
    return node


def _decodes(item: Extension, message: str) -> bool:
    try:
        decode_extension(item.type, item.data, message)
    except WireError:
        return False
    return True


def _note_errors(node: Node, path: str) -> None:
    """Give the topmost failing node of each branch an ``error`` child that names the whole path."""
    here = ".".join(part for part in (path, *node.name.split()[-1:]) if part).replace(".[", "[")
    if node.error:
        found = _AT_BYTE.search(node.error)
        offset = int(found[1]) if found else node.start
        joint = "." if _HAS_PATH.match(node.error) else ": "
        text = f"{here}{joint}{node.error}".replace(".[", "[")
        node.children.append(Node("error", offset, offset, text=text))
        return
    for child in list(node.children):
        _note_errors(child, here)


def _records(data: bytes) -> Node:
    return _Walk(data).tree()


KINDS: dict[str, Callable[[bytes], Node]] = {
    "record": _records,
    "sslv2": _records,
    "handshake": _handshake,
    "client-hello": lambda data: trace(CLIENT_HELLO_BODY, data, "client_hello"),
    "server-hello": lambda data: trace(SERVER_HELLO_BODY, data, "server_hello"),
    "alert": lambda data: trace(ALERT_BODY, data, "alert"),
    "extensions": _extensions,
}


def _reach(grammar: Grammar, data: bytes) -> int:
    """How far into ``data`` the grammar got before it failed."""
    try:
        parse(grammar, data)
    except WireError as error:
        return error.offset or 0
    return len(data)


def _is_version(data: bytes) -> bool:
    return len(data) == 2 and VERSIONS[int.from_bytes(data, "big")].transport == "tcp"


def _handshake_types_known(data: bytes) -> bool:
    return _fits(HANDSHAKE_STREAM, data) and all(m.type in BODIES for m in parse(HANDSHAKE_STREAM, data))


# What is asked in turn: first what fits exactly, then what only begins as it should.
_MARKS: tuple[tuple[str, Callable[[bytes], bool]], ...] = (
    ("record", lambda data: data[0] in CONTENT_TYPES and _is_version(data[1:3])),
    ("sslv2", lambda data: data[0] & 0x80 != 0 and data[2:3] != b"" and data[2] in SSLV2_BODIES),
    ("alert", lambda data: len(data) == 2 and data[0] in {1, 2} and data[1] in ALERTS),
    ("handshake", _handshake_types_known),
    ("client-hello", lambda data: _fits(CLIENT_HELLO_BODY, data)),
    ("server-hello", lambda data: _fits(SERVER_HELLO_BODY, data)),
    ("extensions", lambda data: _fits(Extensions("ch"), data)),
    ("handshake", lambda data: data[0] in BODIES and data[1:2] == b"\0"),
    (
        "server-hello",
        lambda data: _is_version(data[:2]) and _reach(SERVER_HELLO_BODY, data) > _reach(CLIENT_HELLO_BODY, data),
    ),
    ("client-hello", lambda data: _is_version(data[:2])),
)


def _recognise(data: bytes) -> str | None:
    return next((kind for kind, mark in _MARKS if mark(data)), None) if data else None
