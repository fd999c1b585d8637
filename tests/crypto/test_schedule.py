"""The key schedule of TLS 1.3: RFC 8448 byte for byte; retries and real resumptions are tested by handshakes."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlswire.crypto import schedule
from tlswire.crypto.hkdf import expand_label, expand_labels, extract
from tlswire.crypto.protection import protection13
from tlswire.wire.records import HANDSHAKE

from . import rfc8448 as rfc

LAWS = settings(max_examples=60, deadline=None, database=None, derandomize=True)


def test_handshake_of_section_3() -> None:
    early = schedule.early("sha256")
    assert early.secret.hex() == rfc.EARLY
    transcript = schedule.transcript_hash("sha256", rfc.CLIENT_HELLO, rfc.SERVER_HELLO)
    handshake = early.handshake(rfc.SHARED, transcript)
    assert handshake.secret.hex() == rfc.HANDSHAKE
    assert (handshake.client.hex(), handshake.server.hex()) == (rfc.CLIENT_HANDSHAKE, rfc.SERVER_HANDSHAKE)
    application = handshake.application(rfc.SERVER_FINISHED_HASH)
    assert application.secret.hex() == rfc.MAIN
    assert (application.client.hex(), application.server.hex()) == (rfc.CLIENT_APPLICATION, rfc.SERVER_APPLICATION)
    assert application.exporter.hex() == rfc.EXPORTER
    resumption = application.resumption(rfc.CLIENT_FINISHED_HASH)
    assert resumption.hex() == rfc.RESUMPTION
    assert schedule.resumption_psk("sha256", resumption, b"\0\0").hex() == rfc.PSK


def test_resumption_of_section_4() -> None:
    early = schedule.early("sha256", bytes.fromhex(rfc.PSK))
    assert early.secret.hex() == rfc.RESUMED_EARLY
    assert schedule.verify_data("sha256", early.binder_key(), rfc.TRUNCATED_HASH).hex() == rfc.BINDER
    assert early.client_traffic(rfc.RESUMED_HELLO_HASH).hex() == rfc.CLIENT_EARLY


def test_keys_of_a_traffic_secret() -> None:
    # RFC 8448 section 3: {server} derive write traffic keys for handshake data.
    secret = bytes.fromhex(rfc.SERVER_HANDSHAKE)
    assert expand_label(secret, "key", 16).hex() == "3fce516009c21727d0f2e4e86ee403bc"
    assert expand_label(secret, "iv", 12).hex() == "5d313eb2671276ee13000b30"
    record = protection13(0x1301, secret).seal(HANDSHAKE, b"")
    assert protection13(0x1301, secret).open(23, 0x0303, record[5:]) == (HANDSHAKE, b"")


@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
def test_every_secret_is_another_and_as_long_as_the_hash(digest: str) -> None:
    size = hashlib.new(digest).digest_size
    early = schedule.early(digest, b"psk")
    handshake = early.handshake(b"shared", bytes(size))
    application = handshake.application(bytes(size))
    secrets = [
        *(early.secret, early.binder_key(), early.binder_key(external=True), early.client_traffic(bytes(size))),
        *(early.exporter(bytes(size)), handshake.secret, handshake.client, handshake.server, application.secret),
        *(application.client, application.server, application.exporter, application.resumption(bytes(size))),
        schedule.next_secret(digest, application.client),
        schedule.resumption_psk(digest, application.client, b""),
        schedule.verify_data(digest, application.client, bytes(size)),
    ]
    assert {len(secret) for secret in secrets} == {size}
    assert len(set(secrets)) == len(secrets)


def test_without_a_share_zeros_stand_for_it() -> None:
    early = schedule.early("sha256", b"psk")
    assert early.handshake(b"", bytes(32)) == early.handshake(bytes(32), bytes(32))
    assert schedule.early("sha256") == schedule.early("sha256", bytes(32))


def test_message_hash_stands_for_the_first_hello() -> None:
    # RFC 9846 section 4.1: type 254, a length of 24 bits.
    assert schedule.message_hash("sha384", b"hello") == b"\xfe\0\0\x30" + hashlib.sha384(b"hello").digest()


def test_exported_material_differs_by_label_and_context() -> None:
    found = {schedule.export("sha256", bytes(32), label, context, 40) for label in "ab" for context in (b"", b"x")}
    assert len(found) == 4
    assert {len(value) for value in found} == {40}


@LAWS
@given(st.binary(max_size=70), st.integers(0, 200), st.binary(max_size=60), st.sampled_from(["sha256", "sha384"]))
def test_expansion_is_that_of_cryptography(secret: bytes, length: int, context: bytes, digest: str) -> None:
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand  # noqa: PLC0415

    label = length.to_bytes(2, "big") + b"\x0ctls13 label!" + len(context).to_bytes(1, "big") + context
    found = expand_label(secret, "label!", length, context, digest)
    assert len(found) == length
    if length:
        algorithm = hashes.SHA256() if digest == "sha256" else hashes.SHA384()
        assert found == HKDFExpand(algorithm, length, label).derive(secret)


@LAWS
@given(
    st.binary(max_size=150),
    st.lists(st.tuples(st.sampled_from(["quic key", "quic iv", "x"]), st.integers(0, 32)), max_size=4),
    st.sampled_from(["sha256", "sha384"]),
)
def test_labels_together_expand_as_each_alone(secret: bytes, labels: list[tuple[str, int]], digest: str) -> None:
    alone = [expand_label(secret, label, length, b"", digest) for label, length in labels]
    assert expand_labels(secret, tuple(labels), digest) == alone


def test_extraction_is_that_of_rfc_5869() -> None:
    # RFC 5869 appendix A.1.
    salt = bytes.fromhex("000102030405060708090a0b0c")
    expected = "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5"
    assert extract(salt, b"\x0b" * 22).hex() == expected
