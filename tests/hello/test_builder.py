from __future__ import annotations

import random

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tlswire.hello.builder import Shape, client_hello, encode_client_hello, sslv2_client_hello
from tlswire.hello.shares import probe_share
from tlswire.registry import GROUPS, SCSV, SSLV2_KINDS, SUITES
from tlswire.scan.offers import SMALL_HELLO, ProbeMaker
from tlswire.wire.handshake import parse_client_hello
from tlswire.wire.records import Deframer
from tlswire.wire.sslv2 import parse_sslv2_client_hello

VERSIONS = (0x0300, 0x0301, 0x0302, 0x0303, 0x0304)
OFFERED = [row for row in SUITES if row.code not in SCSV]
LONG_NAME = b"a-name-of-sixty-bytes-and-not-one-more-or-less.example.test."[:60]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_suite_is_offered_alone_at_exactly_this_version(version: int) -> None:
    maker = ProbeMaker(Shape(server_name=LONG_NAME))
    for row in OFFERED:
        probe = maker.probe(version, (row.code,))
        assert len(probe.payload) <= SMALL_HELLO, row.name
        (message,) = Deframer().feed(probe.payload)
        hello = parse_client_hello(message.body)
        assert hello == probe.hello
        assert hello.suites == (row.code,)
        assert max(hello.versions) == version
        if version == 0x0304:
            assert hello.versions == (0x0304,)
            assert set(hello.key_shares) <= set(hello.groups)
            assert hello.key_shares
        if version >= 0x0303:
            assert 0x0403 in hello.signature_schemes
        if version > 0x0300:
            assert hello.server_name == LONG_NAME
            assert {0x001D, 0x0017, 0x0018} <= set(hello.groups)


def extensions_of(suite: str, version: int = 0x0303) -> tuple[int, ...]:
    return client_hello(version, (SUITES.find(suite).code,), rng=random.Random(0)).extension_types


def test_companions() -> None:
    assert 12 in extensions_of("TLS_SRP_SHA_WITH_AES_128_CBC_SHA")
    assert 30 in extensions_of("TLS_ECCPWD_WITH_AES_128_GCM_SHA256")
    assert 12 not in extensions_of("TLS_RSA_WITH_AES_128_CBC_SHA")
    gost = client_hello(0x0303, (0xC102,), rng=random.Random(0))
    assert {0x0022, 0x0026} <= set(gost.groups)
    assert {0x0840, 0xEEEE} <= set(gost.signature_schemes)
    sm2 = client_hello(0x0303, (0xE011,), rng=random.Random(0))
    assert 0x0029 in sm2.groups
    assert 0x0708 in sm2.signature_schemes


def test_sslv3_has_extensions_for_elliptic_curves_only() -> None:
    assert client_hello(0x0300, (0x000A,), rng=random.Random(0)).extensions is None
    assert 10 in client_hello(0x0300, (0xC013,), rng=random.Random(0)).extension_types


def test_older_versions_list_no_group_of_tls13_only_and_the_other_way_round() -> None:
    older = client_hello(0x0303, (0xC02F,), rng=random.Random(0)).groups
    newer = client_hello(0x0304, (0x1301,), rng=random.Random(0)).groups
    assert all(GROUPS[code].tls12 for code in older)
    assert all(GROUPS[code].tls13 for code in newer)
    assert {0x11EC, 0x001E} <= set(newer)


@pytest.mark.parametrize("kind", [row.code for row in SSLV2_KINDS])
def test_sslv2(kind: int) -> None:
    (message,) = Deframer().feed(sslv2_client_hello((kind,), rng=random.Random(0)))
    hello = parse_sslv2_client_hello(message.body)
    assert (hello.version, hello.kinds, len(hello.challenge)) == (0x0002, (kind,), 16)


def test_a_seed_fixes_every_byte() -> None:
    def hellos(seed: int) -> list[bytes]:
        maker = ProbeMaker(Shape(server_name=b"a.example"), seed)
        return [maker.probe(version, (0x002F,)).payload for version in VERSIONS]

    assert hellos(7) == hellos(7)
    assert all(one != other for one, other in zip(hellos(7), hellos(8), strict=True))


def test_lists_that_cannot_be_encoded_are_refused() -> None:
    from tlswire.errors import WireError  # noqa: PLC0415 - beside its one use

    with pytest.raises(WireError, match=r"client_hello\.suites"):
        encode_client_hello(client_hello(0x0303, tuple(range(40000)), rng=random.Random(0)))


@pytest.mark.parametrize(("code", "curve"), [(0x17, ec.SECP256R1()), (0x18, ec.SECP384R1()), (0x19, ec.SECP521R1())])
def test_shares_are_points_on_their_curve(code: int, curve: ec.EllipticCurve) -> None:
    ec.EllipticCurvePublicKey.from_encoded_point(curve, probe_share(code))


@pytest.mark.parametrize("row", [row for row in GROUPS if row.client_share_len], ids=lambda row: row.name)
def test_shares_have_the_registered_length(row: object) -> None:
    code, length = row.code, row.client_share_len  # type: ignore[attr-defined]  # a GroupRow
    assert len(probe_share(code)) == length
