"""Complete handshakes with OpenSSL and tlslite-ng in memory: every piece of the room as real peers have it."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest

from tlswire.crypto.protection import can_protect, protection13
from tlswire.crypto.schedule import next_secret
from tlswire.registry import SUITES
from tlswire.wire.records import HANDSHAKE

from .handshakes import GROUPS, Client, OpenSsl, Tlslite, openssl_context, shake

if TYPE_CHECKING:
    from collections.abc import Iterator

_VERSIONS = {"SSLv3": 0x0300, "TLSv1.0": 0x0301, "TLSv1.2": 0x0303, "TLSv1.3": 0x0304}
SAYING = b"said and answered" * 40


def _openssl_pairs() -> Iterator[tuple[int, int]]:
    """Every version and suite that OpenSSL and we have, with a key exchange the small client has."""
    for cipher in openssl_context().get_ciphers():
        suite = cipher["id"] & 0xFFFF
        row = SUITES[suite]
        if row.kex not in {"RSA", "DHE", "ECDHE", "DH", "ECDH", "any"} or row.auth not in {
            "RSA",
            "ECDSA",
            "anon",
            "any",
        }:
            continue
        oldest = _VERSIONS[str(cipher["protocol"])]
        for version in range(max(oldest, 0x0301), 0x0304) if oldest < 0x0304 else (0x0304,):
            if can_protect(version, suite):
                yield version, suite


PAIRS = sorted(_openssl_pairs())


def _talks(client: Client, server: OpenSsl | Tlslite) -> None:
    shake(client, server)
    assert client.done
    for _ in range(3):
        client.write(SAYING)
        shake(client, server)
    assert client.received == SAYING * 6


def test_enough_is_tried() -> None:
    assert len(PAIRS) >= 100
    assert {version for version, _ in PAIRS} == {0x0301, 0x0302, 0x0303, 0x0304}


@pytest.mark.parametrize(("version", "suite"), PAIRS, ids=lambda value: f"{value:04X}")
def test_handshake_with_openssl(version: int, suite: int) -> None:
    kind = "p256" if SUITES[suite].auth == "ECDSA" else "rsa2048"
    _talks(Client(version, suite), OpenSsl(openssl_context(kind=kind)))


# The CBC suites once more, without encrypt-then-MAC and the extended master secret.
@pytest.mark.parametrize(("version", "suite"), [(0x0301, 0x002F), (0x0302, 0xC014), (0x0303, 0xC028), (0x0303, 0xC02F)])
def test_handshake_without_extensions_of_keys(version: int, suite: int) -> None:
    client = Client(version, suite, without=(22, 23))
    _talks(client, OpenSsl(openssl_context()))
    assert not client.encrypt_then_mac
    with_it = Client(version, suite)
    shake(with_it, OpenSsl(openssl_context()))
    assert with_it.encrypt_then_mac == (suite != 0xC02F)


@pytest.mark.parametrize(
    ("group", "name"),
    [(0x001D, "X25519"), (0x0017, "prime256v1"), (0x0018, "secp384r1"), (0x0019, "secp521r1"), (0x001E, "X448")],
)
@pytest.mark.parametrize(("version", "suite"), [(0x0303, 0xC030), (0x0304, 0x1302)])
def test_handshake_with_each_group(version: int, suite: int, group: int, name: str) -> None:
    _talks(Client(version, suite, groups=(group,)), OpenSsl(openssl_context(group=name)))


@pytest.mark.parametrize("group", ["secp256k1", "brainpoolP256r1", "brainpoolP384r1", "brainpoolP512r1", "secp224r1"])
def test_handshake_with_old_curves(group: str) -> None:
    from tlswire.registry import GROUPS as TABLE  # noqa: PLC0415

    _talks(Client(0x0303, 0xC02F, groups=(TABLE.find(group).code,)), OpenSsl(openssl_context(group=group)))


def test_handshake_after_a_retry() -> None:
    client = Client(0x0304, 0x1301)
    _talks(client, OpenSsl(openssl_context(group="secp384r1")))
    assert client.retried
    assert client.share.group == GROUPS[2]


@pytest.mark.parametrize("kind", ["rsa2048", "p256"])
@pytest.mark.parametrize("group", ["X25519", "secp384r1"], ids=["at once", "after a retry"])
def test_resumption_with_a_ticket(kind: str, group: str) -> None:
    context = openssl_context(kind=kind, group=group)
    first = Client(0x0304, 0x1302)
    _talks(first, OpenSsl(context))
    assert len(first.tickets) == 2
    again = Client(0x0304, 0x1302, psk=first.tickets[0])
    _talks(again, OpenSsl(context))
    assert again.resumed
    assert again.retried == (group == "secp384r1")
    wrong = Client(0x0304, 0x1302, psk=(first.tickets[1][0], bytes(48)))
    with pytest.raises(ssl.SSLError, match="BINDER"):
        shake(wrong, OpenSsl(context))


def test_keys_are_updated() -> None:
    client = Client(0x0304, 0x1301)
    server = OpenSsl(openssl_context())
    _talks(client, server)
    client.write(b"\x18\0\0\1\1", HANDSHAKE)  # KeyUpdate, update_requested
    client.writer = protection13(client.suite, next_secret(client.digest, client.application.client))
    client.write(b"under new keys")
    client.received = b""
    shake(client, server)
    assert client.received == b"under new keys" * 2
    assert client.server_secret != client.application.server


# Of what OpenSSL is built without here.
OLD = [
    (version, suite)
    for version in (0x0300, 0x0301, 0x0302, 0x0303)
    for suite in (0x0004, 0x0005, 0x000A, 0x0002, 0x0001, 0x002F, 0x0016, 0xC011, 0xC012)
    if version > 0x0300 or suite < 0xC000
]


@pytest.mark.parametrize(("version", "suite"), OLD, ids=lambda value: f"{value:04X}")
def test_handshake_with_old_ciphers(version: int, suite: int) -> None:
    _talks(Client(version, suite), Tlslite(version))
