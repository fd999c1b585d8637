"""Chains good and bad in every way, each with all the problems that are to be told of it, and no others.

An expectation is words of the form ``where:problem``: the number of a presented certificate, ``chain``, ``path`` (the
verdict), ``staple`` or ``whole``.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from tests.certificates.made import (
    EC_KEY,
    NULL,
    RSA_ENCRYPTION,
    common_name,
    der,
    extension,
    number,
    oid,
    sequence,
)
from tests.certificates.mint import (
    ANY_PURPOSE,
    CLIENT_AUTH,
    END,
    NOW,
    OCSP_SIGNING,
    START,
    Minted,
    access,
    authority,
    constraints,
    critical,
    dns,
    embedded,
    features,
    intermediate,
    key_bits,
    key_of,
    leaf,
    mint,
    names,
    purposes,
    root,
    sct,
    sct_list,
    spki_of,
    usage,
)
from tests.certificates.staples import SHA256, answer, failed, revoked, scts, staple
from tests.certificates.staples import UNKNOWN as NOT_KNOWN
from tlswire.certificates.chain import MAX_CERTIFICATES
from tlswire.certificates.parsed import LARGEST
from tlswire.certificates.report import describe_chain
from tlswire.certificates.stores import Anchors

if TYPE_CHECKING:
    from collections.abc import Callable

    from tlswire.certificates.model import ChainReport

HOST = "www.example"
SUBJECT_ALT_NAME, KEY_USAGE, BASIC_CONSTRAINTS = "2.5.29.17", "2.5.29.15", "2.5.29.19"
SUBJECT_KEY_ID, AUTHORITY_KEY_ID, PURPOSES = "2.5.29.14", "2.5.29.35", "2.5.29.37"
UNKNOWN = "1.2.3.4.5.6"


@dataclass(frozen=True)
class Given:
    """What is presented, and what is known beside it."""

    ders: list[bytes]
    anchors: list[bytes] = field(default_factory=lambda: [root().der])
    host: str = HOST
    staple: bytes | None = None
    scts: bytes | None = None


@dataclass(frozen=True)
class Case:
    name: str
    make: Callable[[], Given]
    expected: str


def chain(*minted: Minted, **known: object) -> Given:
    return Given([item.der for item in minted], **known)  # type: ignore[arg-type]  # of Given's fields


def below(own: Minted, **known: object) -> Given:
    """A leaf below the usual intermediate."""
    return chain(own, intermediate(), **known)


def leaf_with(**fields: object) -> Callable[[], Given]:
    return lambda: below(mint("leaf", intermediate(), **fields))  # type: ignore[arg-type]  # of mint's arguments


def under(**fields: object) -> Callable[[], Given]:
    """A good leaf below an intermediate of these fields."""

    def make() -> Given:
        middle = mint("odd", root(), ca=True, **fields)  # type: ignore[arg-type]  # of mint's arguments
        return chain(mint("leaf", middle), middle)

    return make


def keyed(spki: Callable[[], bytes]) -> Callable[[], Given]:
    return lambda: below(mint("leaf", intermediate(), spki=spki()))


# Keys.


def rsa_spki(modulus: int, exponent: int = 65537) -> bytes:
    return sequence(sequence(oid(RSA_ENCRYPTION), NULL), der(3, b"\0", sequence(number(modulus), number(exponent))))


@cache
def _rough(at: int) -> int:
    """The first number from ``at`` on that no prime below 2^16 divides."""
    small = math.prod(n for n in range(2, 1 << 16) if all(n % d for d in range(2, math.isqrt(n) + 1)))
    while math.gcd(at, small) != 1:
        at += 1
    return at


def sound_modulus(bits: int = 2048) -> int:
    return _rough((1 << bits - 1) + 12345) if bits != 2048 else key_of("rsa").public_key().public_numbers().n


def close_modulus() -> int:
    one = _rough(3 << 1022)
    return one * _rough(one + 1)


@cache
def roca_modulus() -> int:
    primorial = math.prod(n for n in range(2, 168) if all(n % d for d in range(2, math.isqrt(n) + 1)))
    value = ((1 << 2047) // primorial + 1) * primorial + pow(65537, 7, primorial)
    while _rough(value) != value:
        value += primorial
    return value


def explicit_spki() -> bytes:
    """P-256 with its parameters spelt out (RFC 3279 section 2.3.5; the numbers are FIPS 186-4 D.1.2.3's)."""
    prime = 2**256 - 2**224 + 2**192 + 2**96 - 1
    b = bytes.fromhex("5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b")
    x = bytes.fromhex("6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296")
    y = bytes.fromhex("4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5")
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    parameters = sequence(
        number(1),
        sequence(oid("1.2.840.10045.1.1"), number(prime)),
        sequence(der(4, (prime - 3).to_bytes(32, "big")), der(4, b)),
        der(4, b"\4" + x + y),
        number(order),
        number(1),
    )
    return sequence(sequence(oid(EC_KEY), parameters), der(3, b"\0", key_bits(spki_of(key_of("p256", "leaf")))))


def named_spki(curve: str, point: bytes = b"\4" + bytes(64)) -> bytes:
    return sequence(sequence(oid(EC_KEY), oid(curve)), der(3, b"\0", point))


def other_spki(code: str) -> bytes:
    return sequence(sequence(oid(code)), der(3, b"\0", bytes(32)))


# Ways to an anchor.


def crossed(old_way: str) -> Given:
    """An intermediate certified by two roots. The way presented first is ``expired``, or ``unknown``: to no anchor."""
    new, old = root(), mint("old root", ca=True)
    first = mint("middle", old, ca=True, end="250301000000Z" if old_way == "expired" else END)
    second = mint("middle", new, ca=True)
    anchors = [new.der, old.der] if old_way == "expired" else [new.der]
    return chain(mint("leaf", first), first, second, anchors=anchors)


def bridge(*known: str) -> Given:
    """A new root that an old one vouches for, sent to those who know one of them or both."""
    old, new = mint("old root", ca=True), mint("new root", ca=True)
    middle = mint("middle", new, ca=True)
    roots = {"old": old.der, "new": new.der}
    return chain(mint("leaf", middle), middle, mint("new root", old, ca=True), anchors=[roots[name] for name in known])


def rolled() -> Given:
    """A CA's new key certified with its old one: a self-issued certificate, which path lengths do not count."""
    old = mint("rolling", root(), ca=True, more=(authority(0),), label="old")
    new = mint("rolling", old, ca=True, label="new")
    return chain(mint("leaf", new), new, old)


def chain_of(depth: int, *, limit: int | None = None) -> Given:
    """So many CAs between root and leaf; the first is limited to ``limit`` below it."""
    issuers = [root()]
    for at in range(depth):
        more = (authority(limit),) if limit is not None and not at else ()
        issuers.append(mint(f"ca {at}", issuers[-1], ca=True, more=more))
    return chain(mint("leaf", issuers[-1]), *issuers[:0:-1])


def anchored_by(top: Minted) -> Given:
    """A leaf below an intermediate below this anchor."""
    middle = mint("middle", top, ca=True)
    return chain(mint("leaf", middle), middle, anchors=[top.der])


def family(kind: str, signer: str | None = None) -> Given:
    """A chain of one kind of key throughout."""
    top = mint(f"root {kind}", ca=True, kind=kind, signer=signer)
    middle = mint("middle", top, ca=True, kind=kind, signer=signer)
    return chain(mint("leaf", middle, kind=kind, signer=signer), middle, anchors=[top.der])


def below_kind(kind: str, signer: str | None = None) -> Given:
    """A good leaf signed with an intermediate's key of this kind, below the usual root."""
    middle = mint("middle", root(), ca=True, kind=kind)
    return chain(mint("leaf", middle, signer=signer), middle)


def expired_throughout() -> Given:
    past = "250501000000Z"
    top = mint("gone", ca=True, end=past)
    middle = mint("middle", top, ca=True, end=past)
    return chain(mint("leaf", middle, end=past), middle, anchors=[top.der])


def maze() -> Given:
    """Eight CAs of one name, each certified by all others, and no way out."""
    ways = [mint("maze", ca=True, label=f"maze {at}") for at in range(8)]
    crosses = [mint("maze", by, ca=True, label=f"maze {at}") for at in range(8) for by in ways if by is not ways[at]]
    return chain(mint("leaf", ways[0]), *crosses)


# Names.


def dns_name(text: str) -> bytes:
    return der(0x82, text.encode())


def nameless(*, is_critical: bool) -> Minted:
    value = sequence(dns_name(HOST))
    more = critical(SUBJECT_ALT_NAME, value) if is_critical else extension(SUBJECT_ALT_NAME, value)
    return mint(sequence(), intermediate(), label="nobody", more=(more,))


def named(subject: bytes) -> Given:
    return below(mint(subject, intermediate(), label="leaf"))


def nameless_ca() -> Given:
    middle = mint(sequence(), root(), ca=True, label="nobody's")
    return chain(mint("leaf", middle), middle)


def constrained(
    *listed: bytes, permitted: tuple[bytes, ...] = (), excluded: tuple[bytes, ...] = (), subject: str = "leaf"
) -> Callable[[], Given]:
    """A leaf of these names below a CA of these constraints."""

    def make() -> Given:
        middle = mint("constrained", root(), ca=True, more=(constraints(permitted, excluded),))
        own = names(*(listed or (dns_name(HOST),)))
        return chain(mint(subject, middle, label="leaf", more=(own,)), middle)

    return make


# Staples.


def stapled(make: Callable[[Minted, Minted], bytes], **fields: object) -> Callable[[], Given]:
    def given() -> Given:
        own = mint("leaf", intermediate(), **fields)  # type: ignore[arg-type]  # of mint's arguments
        return below(own, staple=make(own, intermediate()))

    return given


def answered(**fields: object) -> Callable[[], Given]:
    """A staple of the issuer with an answer of these fields."""
    return stapled(lambda own, by: staple([answer(own, by, **fields)], by))  # type: ignore[arg-type]  # of answer's


def delegated(by: Callable[[], Minted], **fields: object) -> Callable[[], Given]:
    """A staple signed by somebody else, whose certificate is in it."""
    return stapled(
        lambda own, issuer: staple([answer(own, issuer)], by(), certificates=[by()], **fields)  # type: ignore[arg-type]
    )


def responder(*uses: str, by: Minted | None = None, end: str = END) -> Minted:
    more = (purposes(*uses),) if uses else ()
    return mint("responder", by or intermediate(), more=more, end=end)


def by_key_hash() -> Given:
    own, by = mint("leaf", intermediate()), responder(OCSP_SIGNING)
    key_hash = hashlib.sha1(key_bits(spki_of(by.key))).digest()
    return below(own, staple=staple([answer(own, intermediate())], by, key_hash=key_hash, certificates=[by]))


def not_sent() -> Given:
    """A leaf alone, whose issuer nobody knows, and a good staple."""
    own = mint("leaf", intermediate())
    return chain(own, staple=staple([answer(own, intermediate())], intermediate()))


# Alone, and of nobody's who is known.
ALONE = "chain:incomplete-chain path:unknown-issuer"
UNREADABLE = "path:unknown-issuer whole:name-mismatch"
UPSIDE_DOWN = (
    "chain:leaf-not-first chain:extra-certificate chain:extra-certificate path:key-purpose whole:name-mismatch"
)
NO_NAMES = "0:no-alternative-names whole:name-mismatch"
SELF = "chain:self-signed-leaf path:self-signed"

CASES = (
    # Nothing wrong.
    Case("clean", lambda: below(leaf()), ""),
    Case("clean without an intermediate", lambda: chain(mint("leaf", root())), ""),
    Case("rsa throughout", lambda: family("rsa"), ""),
    Case("rsa signed with pss", lambda: family("rsa", "rsa-pss"), ""),
    Case("p384", lambda: family("p384", "ecdsa-sha384"), ""),
    Case("brainpool", lambda: family("brainpool"), ""),
    Case("ed25519", lambda: family("ed25519"), ""),
    Case("ed448", lambda: family("ed448"), ""),
    Case("ml-dsa", lambda: family("ml-dsa-65"), ""),
    Case("sha3", lambda: family("p256", "ecdsa-sha3"), ""),
    Case("any purpose", leaf_with(more=(purposes(ANY_PURPOSE),)), ""),
    Case("no purposes at all", leaf_with(without=(PURPOSES,)), ""),
    Case("no key usage at all", leaf_with(without=(KEY_USAGE,)), ""),
    Case(
        "wildcard",
        lambda: below(mint("leaf", intermediate(), more=(dns("*.shop.example"),)), host="www.shop.example"),
        "",
    ),
    Case(
        "address",
        lambda: below(mint("leaf", intermediate(), more=(names(der(0x87, b"\x7f\0\0\1")),)), host="127.0.0.1"),
        "",
    ),
    Case("scts", leaf_with(more=(embedded(sct_list(sct(), sct(log=b"M" * 32))),)), ""),
    Case("scts of the handshake", lambda: below(leaf(), scts=sct_list(sct())), ""),
    Case("critical but known", leaf_with(more=(critical(SUBJECT_ALT_NAME, sequence(dns_name(HOST))),)), ""),
    Case("no subject but a critical name", lambda: below(nameless(is_critical=True)), ""),
    Case("a new key of a CA does not count as a CA", rolled, ""),
    Case("the leaf is an anchor itself", lambda: chain(leaf(), anchors=[leaf().der]), ""),
    Case("an intermediate is an anchor", lambda: chain(leaf(), anchors=[intermediate().der]), ""),
    Case("an anchor of version 1", lambda: anchored_by(mint("old", version=b"", extensions=())), ""),
    Case("two roots, the first way leads nowhere", lambda: crossed("unknown"), ""),
    Case("two roots, the first way has expired", lambda: crossed("expired"), ""),
    Case("an old root vouches for a new one", lambda: bridge("old", "new"), ""),
    Case("only the old root is known", lambda: bridge("old"), ""),
    Case(
        "names within constraints",
        constrained(permitted=(dns_name("example"),), excluded=(dns_name("ftp.example"),)),
        "",
    ),
    # One certificate: its bytes.
    Case("garbage", lambda: Given([b"\x30\x03garbage"]), f"0:unreadable {UNREADABLE}"),
    Case("empty", lambda: Given([b""]), f"0:unreadable {UNREADABLE}"),
    Case("cut", lambda: Given([leaf().der[:-9]]), f"0:unreadable {UNREADABLE}"),
    Case(
        "version 4",
        lambda: chain(mint("leaf", root(), version=bytes.fromhex("a003020103"))),
        f"0:unreadable {UNREADABLE}",
    ),
    Case(
        "a default is spelt out",
        lambda: chain(mint("leaf", root(), version=bytes.fromhex("a003020100"))),
        f"0:not-der {UNREADABLE}",
    ),
    Case("a length is too long", lambda: chain(mint("leaf", root(), issuer=b"\x30\x81\0")), f"0:not-der {UNREADABLE}"),
    Case("too large", lambda: Given([leaf().der + bytes(LARGEST)]), f"0:too-large {UNREADABLE}"),
    Case(
        "bytes behind", lambda: Given([leaf().der + b"more", intermediate().der]), "0:trailing-data path:trailing-data"
    ),
    # Its fields.
    Case("version 1", leaf_with(version=b"", extensions=()), f"0:version-1 {NO_NAMES}"),
    Case("extensions in version 1", leaf_with(version=b""), "0:version-1 0:version-extensions"),
    Case("negative serial", leaf_with(serial=number(-12345678901234567890)), "0:serial-not-positive"),
    Case("serial zero", leaf_with(serial=number(0)), "0:serial-not-positive"),
    Case("serial of 21 bytes", leaf_with(serial=number(1 << 163)), "0:serial-long"),
    Case("serial 1", leaf_with(serial=number(1)), "0:serial-short"),
    Case("no issuer", lambda: chain(mint("leaf", root(), issuer=sequence())), f"0:issuer-empty {ALONE}"),
    Case("no subject", lambda: below(nameless(is_critical=False)), "0:subject-empty"),
    Case(
        "a subject that is no text", lambda: named(common_name(b"\xff\xfe")), "0:unreadable-field path:unreadable-field"
    ),
    Case("a CA without a subject", nameless_ca, "0:issuer-empty 1:subject-empty"),
    Case(
        "ends before it begins", leaf_with(start=END, end=START), "0:validity-reversed path:expired path:not-yet-valid"
    ),
    Case(
        "times of the other form",
        leaf_with(start="20250101000000Z", end="20260101000000Z"),
        "0:validity-form 0:validity-form",
    ),
    Case("never ends", leaf_with(end="99991231235959Z"), "0:no-expiry"),
    Case(
        "two algorithms",
        leaf_with(outer="ecdsa-sha384"),
        "0:algorithm-mismatch path:algorithm-mismatch chain:link-signature path:signature-bad",
    ),
    # Its key.
    Case("rsa 1024", leaf_with(kind="rsa1024"), "0:weak-rsa-key path:weak-rsa-key"),
    Case("rsa of 20000 bits", keyed(lambda: rsa_spki((1 << 19999) + 1)), "0:rsa-key-oversize"),
    Case("rsa modulus even", keyed(lambda: rsa_spki(1 << 2047)), "0:rsa-small-factor path:rsa-small-factor"),
    Case(
        "rsa modulus divisible",
        keyed(lambda: rsa_spki(65521 * sound_modulus())),
        "0:rsa-small-factor path:rsa-small-factor",
    ),
    Case("rsa primes too close", keyed(lambda: rsa_spki(close_modulus())), "0:rsa-close-primes path:rsa-close-primes"),
    Case("roca", keyed(lambda: rsa_spki(roca_modulus())), "0:rsa-roca path:rsa-roca"),
    Case("rsa exponent 1", keyed(lambda: rsa_spki(sound_modulus(), 1)), "0:rsa-exponent path:rsa-exponent"),
    Case("rsa exponent even", keyed(lambda: rsa_spki(sound_modulus(), 65536)), "0:rsa-exponent path:rsa-exponent"),
    Case("rsa exponent 3", leaf_with(kind="rsa-e3"), "0:rsa-exponent-small"),
    Case("rsa exponent of 64 bits", keyed(lambda: rsa_spki(sound_modulus(), (1 << 63) + 1)), "0:rsa-exponent-large"),
    Case("rsa modulus negative", keyed(lambda: rsa_spki(-sound_modulus())), "0:unreadable-key path:unreadable-key"),
    Case("dsa", leaf_with(kind="dsa"), "0:dsa-key"),
    Case("dsa 1024", leaf_with(kind="dsa1024"), "0:dsa-key 0:weak-dsa-key path:weak-dsa-key"),
    Case("p192", leaf_with(kind="p192"), "0:weak-ec-key path:weak-ec-key"),
    Case("secp160r1", keyed(lambda: named_spki("1.3.132.0.8")), "0:weak-ec-key 0:unchecked-curve path:weak-ec-key"),
    Case("a curve nobody knows", keyed(lambda: named_spki("1.2.3.4")), "0:unknown-curve path:unknown-curve"),
    Case("a curve spelt out", keyed(explicit_spki), "0:explicit-curve path:explicit-curve"),
    Case(
        "no curve",
        keyed(lambda: sequence(sequence(oid(EC_KEY), NULL), der(3, b"\0", bytes(65)))),
        "0:unreadable-key path:unreadable-key",
    ),
    Case(
        "a point off the curve",
        keyed(lambda: named_spki("1.2.840.10045.3.1.7", b"\4" + b"\1" * 64)),
        "0:unreadable-key path:unreadable-key",
    ),
    Case("a key of a kind nobody knows", keyed(lambda: other_spki("1.2.3.4")), "0:unknown-key path:unknown-key"),
    # What it is signed with.
    Case("signed with md5", lambda: below_kind("rsa", "rsa-md5"), "0:weak-hash path:weak-hash"),
    Case("signed with sha-1", lambda: below_kind("rsa", "rsa-sha1"), "0:weak-hash path:weak-hash"),
    Case("signed with ecdsa and sha-1", lambda: below_kind("p256", "ecdsa-sha1"), "0:weak-hash path:weak-hash"),
    Case(
        "signed with dsa and sha-1",
        lambda: below_kind("dsa1024", "dsa-sha1"),
        "0:weak-hash path:weak-hash 1:dsa-key 1:weak-dsa-key path:weak-dsa-key",
    ),
    Case("signed with dsa", lambda: below_kind("dsa"), "1:dsa-key"),
    Case(
        "signed with md2",
        lambda: below_kind("rsa", "md2"),
        "0:weak-hash path:weak-hash chain:link-unchecked path:signature-unchecked",
    ),
    Case(
        "signed with something",
        lambda: below_kind("p256", "unknown"),
        "0:unknown-signature chain:link-unchecked path:signature-unchecked",
    ),
    Case(
        "a root may be signed with sha-1",
        lambda: anchored_by(mint("sha-1 root", ca=True, kind="rsa", signer="rsa-sha1")),
        "",
    ),
    # Its extensions.
    Case(
        "critical and unknown",
        leaf_with(more=(critical(UNKNOWN, b"\5\0"),)),
        "0:critical-extension path:critical-extension",
    ),
    Case(
        "twice the same",
        leaf_with(more=(dns("other.example"), dns(HOST))),
        "0:duplicate-extension path:duplicate-extension",
    ),
    Case(
        "too many",
        leaf_with(more=tuple(extension(f"1.2.3.{at}", b"") for at in range(130))),
        "0:too-many-extensions path:too-many-extensions",
    ),
    Case(
        "key usage that is none",
        leaf_with(more=(critical(KEY_USAGE, b"\5\0"),)),
        "0:unreadable-extension path:unreadable-extension",
    ),
    Case(
        "names that are none",
        leaf_with(more=(extension(SUBJECT_ALT_NAME, b"\5\0"),)),
        "0:unreadable-extension path:unreadable-extension whole:name-mismatch",
    ),
    Case(
        "features that are none",
        leaf_with(more=(extension("1.3.6.1.5.5.7.1.24", b""),)),
        "0:unreadable-hint",
    ),
    Case("no names", leaf_with(without=(SUBJECT_ALT_NAME,)), NO_NAMES),
    Case("half a wildcard", leaf_with(more=(dns("w*.example", HOST),)), "0:odd-name"),
    Case("an address as a name", leaf_with(more=(dns("10.0.0.1", HOST),)), "0:odd-name"),
    Case("an address of five bytes", leaf_with(more=(names(der(0x87, bytes(5)), dns_name(HOST)),)), "0:odd-name"),
    Case("a name with a zero", leaf_with(more=(dns(HOST + "\0.evil.example", HOST),)), "0:odd-name"),
    Case("a name in umlauts", leaf_with(more=(dns("b\u00fccher.example", HOST),)), "0:odd-name"),
    Case("six hundred names", leaf_with(more=(dns(HOST, *(f"{at}.example" for at in range(600))),)), "0:names-cut"),
    Case(
        "may sign but is no CA",
        leaf_with(more=(usage("digital_signature", "key_cert_sign"),)),
        "0:key-cert-sign-without-ca",
    ),
    Case("constrains but is no CA", leaf_with(more=(constraints((dns_name("example"),)),)), "0:constraints-without-ca"),
    Case("a CA that is not so in a critical way", under(more=(authority(is_critical=False),)), "1:ca-not-critical"),
    Case("a CA without key usage", under(without=(KEY_USAGE,)), "1:ca-without-key-usage"),
    Case("a CA without a key id", under(without=(SUBJECT_KEY_ID,)), "1:no-subject-key-id"),
    Case("no key id of the issuer", leaf_with(without=(AUTHORITY_KEY_ID,)), "0:no-authority-key-id"),
    Case(
        "a precertificate",
        leaf_with(more=(critical("1.3.6.1.4.1.11129.2.4.3", NULL),)),
        "0:precertificate path:precertificate",
    ),
    # SCTs.
    Case(
        "crls that are none",
        leaf_with(more=(extension("2.5.29.31", b"\5\0"),)),
        "0:unreadable-extension path:unreadable-extension",
    ),
    Case("services that are none", leaf_with(more=(extension("1.3.6.1.5.5.7.1.1", b"\5\0"),)), "0:unreadable-hint"),
    Case(
        "critical services that are none",
        leaf_with(more=(critical("1.3.6.1.5.5.7.1.1", b"\5\0"),)),
        "0:unreadable-extension path:unreadable-extension",
    ),
    Case("brainpool 320", keyed(lambda: named_spki("1.3.36.3.3.2.8.1.1.9")), "0:unchecked-curve"),
    Case("scts cut", leaf_with(more=(embedded(sct_list(sct())[:-1]),)), "0:scts-unreadable"),
    Case("scts that are no string", leaf_with(more=(extension("1.3.6.1.4.1.11129.2.4.2", b""),)), "0:scts-unreadable"),
    Case("an sct of another version", leaf_with(more=(embedded(sct_list(sct(version=1))),)), "0:sct-version"),
    Case("an sct of the future", lambda: below(leaf(), scts=sct_list(sct(1_900_000_000_000))), "whole:sct-future"),
    Case("scts of the handshake cut", lambda: below(leaf(), scts=b"\0\5abc"), "whole:scts-unreadable"),
    # The chain as presented.
    Case("nothing", lambda: Given([]), "chain:no-certificates"),
    Case(
        "too many certificates",
        lambda: Given([leaf().der, intermediate().der, *([root().der] * MAX_CERTIFICATES)]),
        f"chain:too-many-certificates chain:root-included {'chain:duplicate-certificate ' * (MAX_CERTIFICATES - 3)}",
    ),
    Case(
        "wrong order",
        lambda: chain(
            mint("leaf", mint("two", mint("one", root(), ca=True), ca=True)),
            mint("one", root(), ca=True),
            mint("two", mint("one", root(), ca=True), ca=True),
        ),
        "chain:wrong-order",
    ),
    Case("intermediate twice", lambda: chain(leaf(), intermediate(), intermediate()), "chain:duplicate-certificate"),
    Case("leaf twice", lambda: chain(leaf(), leaf(), intermediate()), "chain:duplicate-certificate"),
    Case("a stranger", lambda: chain(leaf(), intermediate(), mint("stranger", ca=True)), "chain:extra-certificate"),
    Case("root sent", lambda: chain(leaf(), intermediate(), root()), "chain:root-included"),
    Case("intermediate missing", lambda: chain(leaf()), ALONE),
    Case(
        "intermediate missing, its place given",
        lambda: chain(mint("leaf", intermediate(), more=(access(issuers="http://ca.example/1"),))),
        ALONE,
    ),
    Case("no anchors, no root", lambda: chain(leaf(), intermediate(), anchors=[]), ""),
    Case("an unknown root, not sent", lambda: below(leaf(), anchors=[root("rsa").der]), ALONE),
    Case(
        "an unknown root, sent",
        lambda: chain(leaf(), intermediate(), root(), anchors=[root("rsa").der]),
        "chain:root-included path:untrusted-root",
    ),
    Case("signed by itself", lambda: chain(mint("own")), SELF),
    Case(
        "signed by itself and a CA",
        lambda: chain(mint("own", ca=True, more=(dns(HOST), usage("digital_signature", "key_cert_sign")))),
        f"{SELF} chain:leaf-is-ca",
    ),
    Case(
        "a CA's as the leaf",
        lambda: chain(
            mint("leaf", intermediate(), ca=True, more=(dns(HOST), usage("digital_signature", "key_cert_sign"))),
            intermediate(),
        ),
        "chain:leaf-is-ca",
    ),
    Case("upside down", lambda: chain(root(), intermediate(), leaf()), UPSIDE_DOWN),
    Case("signature spoilt", leaf_with(spoilt=True), "chain:link-signature path:signature-bad"),
    Case(
        "signed with another key of that name",
        lambda: below(mint("leaf", mint("intermediate", root(), ca=True, label="other"))),
        "chain:link-signature chain:link-key-id path:signature-bad",
    ),
    Case(
        "signature of another kind",
        leaf_with(signer="unknown", outer="rsa-sha256"),
        "0:algorithm-mismatch path:algorithm-mismatch chain:link-signature path:signature-bad",
    ),
    Case("another issuer's name", leaf_with(issuer=common_name(b"somebody")), "chain:link-name path:name-chaining"),
    Case(
        "the issuer's name in other bytes", leaf_with(issuer=common_name(b"INTERMEDIATE ", 0x13)), "path:name-encoding"
    ),
    Case("another key id", leaf_with(issuer_key_id=b"another"), "chain:link-key-id"),
    # Ways to an anchor.
    Case("expired", leaf_with(end="250501000000Z"), "path:expired"),
    Case("not yet valid", leaf_with(start="250701000000Z"), "path:not-yet-valid"),
    Case("intermediate expired", under(end="250501000000Z"), "path:expired"),
    Case("anchor expired", lambda: anchored_by(mint("gone", ca=True, end="250501000000Z")), "path:expired"),
    Case("everything expired", expired_throughout, "path:expired path:expired path:expired"),
    Case(
        "a leaf as issuer", lambda: chain(mint("sub", leaf()), leaf(), intermediate()), "path:not-a-ca path:cannot-sign"
    ),
    Case(
        "an issuer of version 1", under(version=b"", extensions=()), "1:version-1 1:no-alternative-names path:not-a-ca"
    ),
    Case("path too long for a CA", lambda: chain_of(3, limit=1), "path:path-length"),
    Case("path too long to follow", lambda: chain_of(20), "path:path-too-long path:unknown-issuer"),
    Case(
        "path too long for the anchor",
        lambda: anchored_by(mint("short", ca=True, more=(authority(0),))),
        "path:path-length",
    ),
    Case("a CA that may not sign", under(more=(usage("crl_sign"),)), "path:cannot-sign"),
    Case("purposes of a client", leaf_with(more=(purposes(CLIENT_AUTH),)), "path:purpose"),
    Case("a CA for clients", under(more=(purposes(CLIENT_AUTH),)), "path:purpose"),
    Case("a key for nothing of tls", leaf_with(more=(usage("content_commitment"),)), "path:key-purpose"),
    Case(
        "policies demanded", under(more=(critical("2.5.29.36", sequence(der(0x80, b"\0"))),)), "path:policy-unchecked"
    ),
    Case("weak root", lambda: anchored_by(mint("weak", ca=True, kind="rsa1024")), "path:weak-rsa-key"),
    Case("weak intermediate", lambda: below_kind("rsa1024"), "1:weak-rsa-key path:weak-rsa-key"),
    Case(
        "critical and unknown in a CA",
        under(more=(critical(UNKNOWN, b"\5\0"),)),
        "1:critical-extension path:critical-extension",
    ),
    Case("too many ways", maze, "chain:wrong-order path:untrusted-root path:search-bounded"),
    # Name constraints.
    Case("name not permitted", constrained(permitted=(dns_name("other"),)), "path:name-constraint"),
    Case("name excluded", constrained(excluded=(dns_name("example"),)), "path:name-constraint"),
    Case(
        "wildcard over an excluded name",
        constrained(dns_name("*.example"), excluded=(dns_name("ftp.example"),)),
        "path:name-constraint",
    ),
    Case(
        "address not permitted",
        constrained(dns_name(HOST), der(0x87, b"\x0a\0\0\1"), permitted=(der(0x87, b"\xc0\0\2\0\xff\xff\xff\0"),)),
        "path:name-constraint",
    ),
    Case("directory not permitted", constrained(permitted=(der(0xA4, common_name(b"other")),)), "path:name-constraint"),
    Case(
        "mail not permitted",
        constrained(dns_name(HOST), der(0x81, b"a@b.example"), permitted=(der(0x81, b"c.example"),)),
        "path:name-constraint",
    ),
    Case(
        "uri not permitted",
        constrained(dns_name(HOST), der(0x86, b"https://a.example/"), permitted=(der(0x86, b".b.example"),)),
        "path:name-constraint",
    ),
    Case(
        "constraints of a kind that is not checked",
        constrained(dns_name(HOST), der(0x88, b"\x2a\3"), permitted=(der(0x88, b"\x2a"),)),
        "path:constraint-unchecked",
    ),
    # The host's name.
    Case("another host", lambda: below(leaf(), host="other.example"), "whole:name-mismatch"),
    Case("an address that is not named", lambda: below(leaf(), host="127.0.0.1"), "whole:name-mismatch"),
    Case(
        "a wildcard for one label only",
        lambda: below(mint("leaf", intermediate(), more=(dns("*.example"),)), host="a.b.example"),
        "whole:name-mismatch",
    ),
    # Staples.
    Case("must staple and does", stapled(lambda own, by: staple([answer(own, by)], by), more=(features(5),)), ""),
    Case("must staple and does not", leaf_with(more=(features(5),)), "whole:staple-missing"),
    Case("staple with sha-256 hashes", answered(algorithm=SHA256), ""),
    Case("staple of a delegate", delegated(lambda: responder(OCSP_SIGNING)), ""),
    Case("staple of a delegate by its key", by_key_hash, ""),
    Case("staple with scts", answered(extensions=scts(sct_list(sct()))), ""),
    Case("staple with scts cut", answered(extensions=scts(sct_list(sct())[:-1])), "staple:scts-unreadable"),
    Case("staple is garbage", lambda: below(leaf(), staple=b"garbage"), "staple:staple-unreadable"),
    Case("staple is empty", lambda: below(leaf(), staple=b""), "staple:staple-unreadable"),
    Case("staple without answers", stapled(lambda _own, by: staple([], by)), "staple:staple-unreadable"),
    Case("staple is too large", lambda: below(leaf(), staple=bytes(LARGEST + 1)), "staple:staple-too-large"),
    Case("responder is busy", lambda: below(leaf(), staple=failed(3)), "staple:staple-failed"),
    Case("revoked", answered(status=revoked(reason=1)), "staple:revoked"),
    Case("revoked for no reason", answered(status=revoked()), "staple:revoked"),
    Case("not known to the responder", answered(status=NOT_KNOWN), "staple:status-unknown"),
    Case("staple of another certificate", answered(serial=number(77)), "staple:staple-of-another"),
    Case("staple has expired", answered(until="20250531000000Z"), "staple:staple-expired"),
    Case("staple of the future", answered(this="20250602000000Z"), "staple:staple-future"),
    Case("staple without an end", answered(until=None), "staple:staple-no-end"),
    Case(
        "staple spoilt", stapled(lambda own, by: staple([answer(own, by)], by, spoilt=True)), "staple:staple-signature"
    ),
    Case("staple of a stranger", delegated(lambda: responder(OCSP_SIGNING, by=root())), "staple:staple-signer"),
    Case("staple of a delegate not meant for it", delegated(responder), "staple:staple-signer"),
    Case(
        "staple of a delegate of the past",
        delegated(lambda: responder(OCSP_SIGNING, end="250501000000Z")),
        "staple:staple-signer",
    ),
    Case(
        "staple of a delegate with another name",
        delegated(lambda: responder(OCSP_SIGNING), name=common_name(b"nobody")),
        "staple:staple-signer",
    ),
    Case(
        "staple signed with sha-1",
        stapled(lambda own, by: staple([answer(own, by)], by, signer="ecdsa-sha1")),
        "staple:staple-weak-hash",
    ),
    Case("staple whose issuer is not known", not_sent, f"{ALONE} staple:staple-unchecked"),
    Case(
        "staple signed with something",
        stapled(lambda own, by: staple([answer(own, by)], by, signer="unknown")),
        "staple:staple-unchecked",
    ),
    Case(
        "many answers, one of them right",
        stapled(lambda own, by: staple([answer(own, by, serial=number(7)), answer(own, by)], by)),
        "",
    ),
)


def told(report: ChainReport) -> list[str]:
    """The problems of a report in the words of an expectation."""
    found = [f"{at}:{item.id}" for at, details in enumerate(report.certificates) for item in details.problems]
    found += [f"chain:{item.id}" for item in report.chain.problems]
    found += [f"path:{item.id}" for verdict in report.verdicts for item in verdict.problems]
    found += [f"staple:{item.id}" for item in (report.staple.problems if report.staple is not None else ())]
    return found + [f"whole:{item.id}" for item in report.problems]


def described(given: Given) -> ChainReport:
    anchors = {"given": Anchors("given", given.anchors)} if given.anchors else None
    return describe_chain(
        given.ders, now=NOW, anchors=anchors, host=given.host, staple=given.staple, tls_scts=given.scts
    )
