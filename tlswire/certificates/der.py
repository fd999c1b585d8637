"""Where things stand in a certificate: DER elements and the fields of a TBSCertificate (X.690 section 8, RFC 5280 4.1).

``cryptography`` judges whether the bytes are DER; here the bytes of a field are found, as they stand. Must not import
anything of tlswire but ``errors``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tlswire.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Iterator

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, OID, UTC_TIME = 0x01, 0x02, 0x03, 0x04, 0x06, 0x17
SEQUENCE = 0x30
_VERSION, _ISSUER_ID, _SUBJECT_ID, _EXTENSIONS = 0xA0, 0x81, 0x82, 0xA3  # RFC 5280 section 4.1, context tags
MAX_EXTENSIONS = 128


class Element(msgspec.Struct, frozen=True):
    """One element of ``data``: header from ``start``, contents from ``body`` to ``end``."""

    data: bytes
    tag: int
    start: int
    body: int
    end: int

    @property
    def whole(self) -> bytes:
        """Header and contents."""
        return self.data[self.start : self.end]

    @property
    def content(self) -> bytes:
        """The contents without the header."""
        return self.data[self.body : self.end]


class RawExtension(msgspec.Struct, frozen=True):
    """One extension: ``value`` is what its OCTET STRING holds, ``whole`` its bytes as they stand."""

    oid: str
    critical: bool
    value: bytes
    whole: bytes


class Layout(msgspec.Struct, frozen=True):
    """The parts of a certificate, each with its header but ``serial``, ``signature`` (contents only)."""

    whole: bytes
    tbs: bytes
    version: int
    serial: bytes
    inner_algorithm: bytes
    issuer: bytes
    validity: bytes
    subject: bytes
    spki: bytes
    extensions: tuple[RawExtension, ...]
    more_extensions: int
    algorithm: bytes
    signature: bytes


def element(data: bytes, at: int = 0, end: int | None = None) -> Element:
    """The element at ``at``, which must end before ``end``; raises WireError. Tags have one byte (X.690 8.1.2)."""
    limit = len(data) if end is None else end
    if limit - at < 2:
        raise WireError("the element has no header", offset=at)
    length, body = data[at + 1], at + 2
    if length & 0x80:
        size = length & 0x7F
        if not 1 <= size <= min(4, limit - body):
            raise WireError("the length is indefinite, too long or cut", offset=at)
        length, body = int.from_bytes(data[body : body + size], "big"), body + size
    if length > limit - body:
        raise WireError(f"needs {length} bytes, {limit - body} left", offset=body)
    return Element(data, data[at], at, body, body + length)


def children(parent: Element) -> Iterator[Element]:
    """What is in a constructed element, in order; raises WireError where it does not end with it."""
    at = parent.body
    while at < parent.end:
        child = element(parent.data, at, parent.end)
        yield child
        at = child.end


def wrap(tag: int, *contents: bytes) -> bytes:
    """An element of these contents (X.690 section 8.1.3)."""
    body = b"".join(contents)
    size = len(body)
    if size < 0x80:
        return bytes((tag, size)) + body
    width = (size.bit_length() + 7) // 8
    return bytes((tag, 0x80 | width)) + size.to_bytes(width, "big") + body


def only(data: bytes, *tags: int) -> list[Element]:
    """What is in the SEQUENCE that ``data`` is: elements of these tags exactly, 0 standing for any. Raises WireError."""
    outer = element(data)
    if outer.tag != SEQUENCE or outer.end != len(data):
        raise WireError("is not one SEQUENCE", offset=0)
    found = list(children(outer))
    if len(found) != len(tags) or any(tag not in {0, item.tag} for tag, item in zip(tags, found, strict=True)):
        raise WireError("has other fields than it should", offset=outer.body)
    return found


def integer(item: Element) -> int:
    """The value of an INTEGER (X.690 section 8.3)."""
    return int.from_bytes(item.content, "big", signed=True)


def dotted(content: bytes) -> str:
    """An object identifier's contents in words (X.690 section 8.19); arcs longer than 128 bits and cuts: WireError."""
    arcs: list[int] = []
    value = 0
    for at, byte in enumerate(content):
        value = value << 7 | byte & 0x7F
        if value >> 128:
            raise WireError("an arc of the identifier is too large", offset=at)
        if not byte & 0x80:
            arcs.append(value)
            value = 0
    if not arcs or content[-1] & 0x80:
        raise WireError("the identifier is cut", offset=len(content))
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))


def identifier(algorithm: bytes) -> str:
    """The object identifier an AlgorithmIdentifier begins with (RFC 5280 section 4.1.1.2); raises WireError."""
    return dotted(element(algorithm, element(algorithm).body).content)


def layout(der: bytes) -> Layout:
    """Where the parts of the certificate at the beginning of ``der`` stand; raises WireError."""
    whole = element(der)
    tbs, algorithm, signature, *_ = _first(list(children(whole)), 3)
    fields = list(children(tbs))
    version = 0
    if fields and fields[0].tag == _VERSION:
        version = integer(element(der, fields[0].body, fields[0].end))
        fields = fields[1:]
    serial, inner, issuer, validity, subject, spki, *more = _first(fields, 6)
    if not serial.content:
        raise WireError("the serial number is empty", offset=serial.body)
    extensions, left = _extensions(more)
    return Layout(
        whole.whole,
        tbs.whole,
        version,
        serial.content,
        inner.whole,
        issuer.whole,
        validity.whole,
        subject.whole,
        spki.whole,
        extensions,
        left,
        algorithm.whole,
        signature.content,
    )


def _first(found: list[Element], count: int) -> list[Element]:
    if len(found) < count:
        raise WireError(f"has {len(found)} fields of {count}")
    return found


def _extensions(fields: list[Element]) -> tuple[tuple[RawExtension, ...], int]:
    """At most ``MAX_EXTENSIONS`` of them, and how many there are besides."""
    for field in fields:
        if field.tag == _EXTENSIONS:
            listed = list(children(element(field.data, field.body, field.end)))
            return tuple(map(_extension, listed[:MAX_EXTENSIONS])), len(listed[MAX_EXTENSIONS:])
    return (), 0


def _extension(item: Element) -> RawExtension:
    found = list(children(item))
    oid, *critical, value = _first(found, 2)
    return RawExtension(
        dotted(oid.content), any(field.content != b"\0" for field in critical), value.content, item.whole
    )
