"""Certificates laid out by hand (X.690 section 8, RFC 5280 section 4.1): they may say what no library would write."""

from __future__ import annotations

RSA_ENCRYPTION, RSA_PSS, EC_KEY = "1.2.840.113549.1.1.1", "1.2.840.113549.1.1.10", "1.2.840.10045.2.1"
SHA256_RSA = "1.2.840.113549.1.1.11"
NULL = b"\x05\x00"
V3 = bytes.fromhex("a003020102")


def der(tag: int, *contents: bytes) -> bytes:
    body = b"".join(contents)
    size = len(body)
    if size < 0x80:
        return bytes([tag, size]) + body
    width = (size.bit_length() + 7) // 8
    return bytes([tag, 0x80 | width]) + size.to_bytes(width, "big") + body


def sequence(*contents: bytes) -> bytes:
    return der(0x30, *contents)


def number(value: int) -> bytes:
    return der(2, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def oid(dotted: str) -> bytes:
    first, second, *rest = map(int, dotted.split("."))
    found = b""
    for arc in (first * 40 + second, *rest):
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(arc & 0x7F | 0x80)
        found += bytes(reversed(groups))
    return der(6, found)


def common_name(value: bytes, tag: int = 0x0C) -> bytes:
    return sequence(der(0x31, sequence(oid("2.5.4.3"), der(tag, value))))


def rsa_key(modulus: int, algorithm: bytes = oid(RSA_ENCRYPTION) + NULL) -> bytes:
    return sequence(sequence(algorithm), der(3, b"\0", sequence(number(modulus), number(65537))))


def extension(code: str, value: bytes) -> bytes:
    return sequence(oid(code), der(4, value))


def alternatives(*names: bytes) -> bytes:
    return extension("2.5.29.17", sequence(*names))


def crafted(  # as many fields as a certificate has
    *,
    version: bytes = V3,
    serial: bytes = b"\x02\x01\x05",
    issuer: bytes = common_name(b"issuer"),
    validity: bytes = sequence(der(0x17, b"010203040506Z"), der(0x17, b"020203040506Z")),
    subject: bytes = common_name(b"subject"),
    key: bytes = rsa_key(1 << 2047 | 1),
    extensions: bytes = b"",
    algorithm: bytes = sequence(oid(SHA256_RSA), NULL),
) -> bytes:
    more = der(0xA3, sequence(extensions)) if extensions else b""
    tbs = sequence(version, serial, algorithm, issuer, validity, subject, key, more)
    return sequence(tbs, algorithm, der(3, b"\0", bytes(256)))
