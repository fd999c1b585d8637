"""Record protection: whatever is sealed opens as it was, whatever was changed does not, in every suite and version."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlswire.crypto.protection import Cbc, Protection, can_protect, key_block_sizes, protection13, protections12
from tlswire.crypto.suites import AEAD, BLOCK, NULL, STREAM, Plan, digest_of, plan_of
from tlswire.errors import UsageError, WireError
from tlswire.registry import SUITES
from tlswire.wire.records import ALERT, APPLICATION_DATA, HANDSHAKE, MAX_CIPHERTEXT, MAX_PLAINTEXT

LAWS = settings(max_examples=300, deadline=None, database=None, derandomize=True)
PAIRS = [(version, row.code) for version in range(0x0300, 0x0305) for row in SUITES if can_protect(version, row.code)]


def plan(version: int, suite: int) -> Plan:
    found = plan_of(version, suite)
    assert found is not None
    return found


# One of each way to protect: version, plan, and for CBC both orders of MAC and encryption.
KINDS = list(
    {
        (version, plan(version, suite), etm): (version, suite, etm)
        for version, suite in PAIRS
        for etm in (False, True)
        if not etm or (plan(version, suite).cipher.mode == BLOCK and version > 0x0300)
    }.values()
)
MASTER, CLIENT, SERVER = bytes(range(48)), bytes(range(32)), bytes(range(32, 64))


def pair(version: int, suite: int, *, etm: bool = False, seed: int = 1) -> tuple[Protection, Protection]:
    """Both ends of one direction."""
    if version == 0x0304:
        return protection13(suite, MASTER), protection13(suite, MASTER)
    ends = (
        protections12(version, suite, MASTER, CLIENT, SERVER, encrypt_then_mac=etm, rng=Random(seed))[0]
        for _ in range(2)
    )
    return next(ends), next(ends)


def opened(protection: Protection, record: bytes) -> tuple[int, bytes]:
    assert len(record) == 5 + int.from_bytes(record[3:5], "big")
    assert len(record) - 5 <= MAX_CIPHERTEXT
    return protection.open(record[0], int.from_bytes(record[1:3], "big"), record[5:])


kinds = st.sampled_from(KINDS)
contents = st.sampled_from([HANDSHAKE, ALERT, APPLICATION_DATA])


def test_every_suite_is_reached() -> None:
    assert len(PAIRS) > 600
    assert {plan(version, suite).cipher.algorithm for version, suite, _ in KINDS} == {
        *("", "ARC4", "TripleDES", "IDEA", "SEED", "AES", "Camellia", "AESGCM", "AESCCM", "ChaCha20Poly1305"),
    }


@LAWS
@given(kinds, st.lists(st.tuples(contents, st.binary(max_size=80)), max_size=5))
def test_what_is_sealed_opens_in_order(kind: tuple[int, int, bool], said: list[tuple[int, bytes]]) -> None:
    version, suite, etm = kind
    writer, reader = pair(version, suite, etm=etm)
    records = [writer.seal(content, data) for content, data in said]
    assert [opened(reader, record) for record in records] == said
    assert writer.sequence == reader.sequence == len(said)
    again, _ = pair(version, suite, etm=etm)
    assert [again.seal(content, data) for content, data in said] == records


@pytest.mark.parametrize(("version", "suite"), PAIRS, ids=lambda value: f"{value:04X}")
def test_every_suite_opens_what_it_seals(version: int, suite: int) -> None:
    writer, reader = pair(version, suite)
    for data in (b"", b"said", bytes(300)):
        assert opened(reader, writer.seal(HANDSHAKE, data)) == (HANDSHAKE, data)


@pytest.mark.parametrize(("version", "suite", "etm"), KINDS)
def test_largest_record_and_no_larger(version: int, suite: int, etm: bool) -> None:
    writer, reader = pair(version, suite, etm=etm)
    data = bytes(MAX_PLAINTEXT)
    assert opened(reader, writer.seal(APPLICATION_DATA, data)) == (APPLICATION_DATA, data)
    with pytest.raises(WireError, match="16385 bytes do not fit"):
        writer.seal(APPLICATION_DATA, data + b"x")


@LAWS
@given(kinds, st.binary(max_size=60), st.data())
def test_what_was_changed_does_not_open(kind: tuple[int, int, bool], said: bytes, data: st.DataObject) -> None:
    version, suite, etm = kind
    cipher = plan(version, suite).cipher
    if cipher.mode != AEAD and not plan(version, suite).mac:
        return  # TLS_NULL_WITH_NULL_NULL proves nothing
    writer, reader = pair(version, suite, etm=etm)
    record = bytearray(writer.seal(HANDSHAKE, said))
    at = data.draw(st.integers(5, len(record) - 1))
    bit = data.draw(st.integers(0, 7))
    if version == 0x0300 and cipher.mode == BLOCK:
        at = 5  # SSLv3 does not cover its padding: POODLE
    record[at] ^= 1 << bit
    with pytest.raises(WireError, match=r"^record\.protected: (bad|\d+ bytes)"):
        opened(reader, bytes(record))
    assert reader.sequence == 0


@LAWS
@given(kinds, st.binary(max_size=80), st.integers(0, 255))
def test_random_bytes_never_crash(kind: tuple[int, int, bool], noise: bytes, content: int) -> None:
    version, suite, etm = kind
    _, reader = pair(version, suite, etm=etm)
    if plan(version, suite).cipher.mode != AEAD and not plan(version, suite).mac:
        assert reader.open(content, 0x0303, noise) == (content, noise)
        return
    with pytest.raises(WireError) as caught:
        reader.open(content, 0x0303, noise)
    assert caught.value.path == "record.protected"


@LAWS
@given(kinds, st.binary(max_size=40), st.data())
def test_every_prefix_is_refused(kind: tuple[int, int, bool], said: bytes, data: st.DataObject) -> None:
    version, suite, etm = kind
    cipher = plan(version, suite).cipher
    if cipher.mode != AEAD and not plan(version, suite).mac:
        return
    writer, reader = pair(version, suite, etm=etm)
    record = writer.seal(HANDSHAKE, said)
    cut = data.draw(st.integers(5, len(record) - 1))
    with pytest.raises(WireError):
        reader.open(record[0], version, record[5:cut])


@pytest.mark.parametrize(("version", "suite"), [(0x0301, 0x002F), (0x0303, 0xC02F), (0x0304, 0x1301), (0x0303, 0x0004)])
def test_order_and_type_are_protected(version: int, suite: int) -> None:
    writer, reader = pair(version, suite)
    first, second = writer.seal(HANDSHAKE, b"first"), writer.seal(HANDSHAKE, b"second")
    with pytest.raises(WireError):
        opened(reader, second)
    _, reader = pair(version, suite)
    with pytest.raises(WireError):
        opened(reader, bytes((ALERT,)) + first[1:])


def test_directions_have_keys_of_their_own() -> None:
    client, server = protections12(0x0303, 0xC02F, MASTER, CLIENT, SERVER, rng=Random(1))
    with pytest.raises(WireError, match="bad tag"):
        opened(server, client.seal(HANDSHAKE, b"said"))


@pytest.mark.parametrize(("version", "explicit"), [(0x0300, 0), (0x0301, 0), (0x0302, 16), (0x0303, 16)])
def test_cbc_brings_its_iv_from_tls_1_1_on(version: int, explicit: int) -> None:
    writer, _ = pair(version, 0x002F)
    assert len(writer.seal(HANDSHAKE, b"said")) == 5 + explicit + 32
    assert key_block_sizes(0x002F, version) == (20, 16, 0 if explicit else 16)
    # The IVs are the caller's randomness; before them, nothing is random.
    others = [pair(version, 0x002F, seed=seed)[0].seal(HANDSHAKE, b"said") for seed in (1, 2)]
    assert (others[0] == others[1]) == (explicit == 0)


@pytest.mark.parametrize(
    ("suite", "version", "sizes"),
    [
        (0xC02F, 0x0303, (0, 16, 4)),
        (0xCCA8, 0x0303, (0, 32, 12)),
        (0x000A, 0x0301, (20, 24, 8)),
        (0x000A, 0x0302, (20, 24, 0)),
        (0x0009, 0x0301, (20, 8, 8)),
        (0x0004, 0x0303, (16, 16, 0)),
        (0xC028, 0x0303, (48, 32, 0)),
        (0x0002, 0x0303, (20, 0, 0)),
    ],
)
def test_sizes_of_the_key_block(suite: int, version: int, sizes: tuple[int, int, int]) -> None:
    assert key_block_sizes(suite, version) == sizes


def test_sequence_number_is_the_nonce() -> None:
    # RFC 7905 section 2: no explicit part; RFC 5288 section 3: eight bytes.
    assert len(pair(0x0303, 0xCCA8)[0].seal(HANDSHAKE, b"said")) == 5 + 4 + 16
    record = pair(0x0303, 0xC02F)[0].seal(HANDSHAKE, b"said")
    assert record[5:13] == bytes(8)
    assert len(record) == 5 + 8 + 4 + 16
    assert len(pair(0x0303, 0xC0A0)[0].seal(HANDSHAKE, b"said")) == 5 + 8 + 4 + 8


def test_padding_of_tls_1_3() -> None:
    writer, reader = pair(0x0304, 0x1301)
    assert isinstance(writer.seal(HANDSHAKE, b""), bytes)
    reader.sequence = 1
    padded = writer.seal(0, b"said" + bytes((ALERT,)) + bytes(50))  # content 0 is one more zero
    assert opened(reader, padded) == (ALERT, b"said")
    with pytest.raises(WireError, match="all zeros: no content type"):
        opened(reader, writer.seal(0, bytes(9)))


def test_plaintext_over_the_bound_is_refused() -> None:
    writer, reader = pair(0x0304, 0x1301)
    record = writer._seal(HANDSHAKE, bytes(MAX_PLAINTEXT + 1))
    with pytest.raises(WireError, match="plaintext of 16385 bytes is over 2\\^14"):
        opened(reader, record)


def test_clear_records_after_the_keys_of_tls_1_3_are_refused() -> None:
    with pytest.raises(WireError, match="a record of type handshake in clear after the keys"):
        pair(0x0304, 0x1301)[1].open(HANDSHAKE, 0x0303, bytes(40))


# Padding that is wrong although the MAC is right, by the hand that has the keys (RFC 5246 section 6.2.3.2).
def test_padding_is_looked_at() -> None:
    writer, reader = pair(0x0303, 0x002F)
    assert isinstance(writer, Cbc)

    def sealed(number: int, padding: bytes) -> bytes:
        writer.sequence = number
        record = writer.seal_blocks(HANDSHAKE, b"said" + writer.mac(HANDSHAKE, b"said") + padding)
        assert writer.sequence == number + 1
        return record[5:]

    assert reader.open(HANDSHAKE, 0x0303, sealed(0, b"\7" * 8)) == (HANDSHAKE, b"said")
    assert reader.open(HANDSHAKE, 0x0303, sealed(1, b"\x17" * 24)) == (HANDSHAKE, b"said")  # more than a block
    with pytest.raises(WireError, match="its bytes are not its length"):
        reader.open(HANDSHAKE, 0x0303, sealed(2, b"\6" * 7 + b"\7"))
    with pytest.raises(WireError, match="bad padding: 256 bytes of it in 32"):
        reader.open(HANDSHAKE, 0x0303, sealed(2, b"\xff" * 8))
    with pytest.raises(WireError, match="33 bytes are no blocks of 16"):
        reader.open(HANDSHAKE, 0x0303, bytes(33))


# RFC 6101 section 5.2.3.2: less than a block, of any value.
def test_padding_of_sslv3() -> None:
    writer, reader = pair(0x0300, 0x002F)
    assert isinstance(writer, Cbc)

    def sealed(number: int, padding: bytes) -> bytes:
        writer.sequence = number
        return writer.seal_blocks(HANDSHAKE, b"said" + writer.mac(HANDSHAKE, b"said") + padding)[5:]

    assert reader.open(HANDSHAKE, 0x0300, sealed(0, b"anybyte\7")) == (HANDSHAKE, b"said")
    with pytest.raises(WireError, match="24 bytes of it with blocks of 16"):
        reader.open(HANDSHAKE, 0x0300, sealed(1, b"\x17" * 24))


# RFC 9150 section 4: data in clear, an HMAC behind.
@pytest.mark.parametrize(("suite", "size"), [(0xC0B4, 32), (0xC0B5, 48)])
def test_integrity_only_suites(suite: int, size: int) -> None:
    writer, reader = pair(0x0304, suite)
    record = writer.seal(HANDSHAKE, b"said")
    assert record[5:10] == b"said\x16"
    assert len(record) == 5 + 5 + size
    assert opened(reader, record) == (HANDSHAKE, b"said")


@pytest.mark.parametrize(
    ("version", "suite"),
    [
        (0x0303, 0x1301),  # of TLS 1.3
        (0x0304, 0xC02F),  # of TLS 1.2
        (0x0302, 0xC02F),  # an AEAD
        (0x0303, 0xC050),  # ARIA
        (0x0303, 0xC07A),  # Camellia in GCM
        (0x0301, 0x0003),  # export
        (0x0301, 0x0062),  # export, with a cipher that is known
        (0x0303, 0xCC13),  # an AEAD of a draft
        (0x0300, 0x003C),  # SSLv3 with SHA-256
        (0x0002, 0x0005),
        (0x0305, 0x1301),
        (0x0303, 0xFFFF),
        (0x0303, 0x00FF),
        (0x0303, 0x0A0A),
    ],
)
def test_what_cannot_be_protected_is_said(version: int, suite: int) -> None:
    assert not can_protect(version, suite)
    with pytest.raises(UsageError, match="cannot be protected here"):
        key_block_sizes(suite, version)
    with pytest.raises(UsageError):
        protections12(version, suite, MASTER, CLIENT, SERVER, rng=Random(1))
    if version == 0x0304:
        with pytest.raises(UsageError):
            protection13(suite, MASTER)


def test_hashes_of_suites() -> None:
    assert [digest_of(suite) for suite in (0x1301, 0x1302, 0xC02F, 0xC030, 0x002F)] == ["sha256", "sha384"] * 2 + [
        "sha256"
    ]
    for suite in (0x00C6, 0xFFFF):
        with pytest.raises(UsageError, match="no PRF with the hash"):
            digest_of(suite)


def test_plans_are_of_all_four_modes() -> None:
    assert {plan(version, suite).cipher.mode for version, suite in PAIRS} == {NULL, STREAM, BLOCK, AEAD}


def test_drafts_leave_the_header_out_of_what_is_covered() -> None:
    sealed = protection13(0x1301, bytes(32), header=False).seal(HANDSHAKE, b"old")
    assert protection13(0x1301, bytes(32), header=False).open(23, 0x0301, sealed[5:]) == (HANDSHAKE, b"old")
    with pytest.raises(WireError, match="bad tag"):
        protection13(0x1301, bytes(32)).open(23, 0x0301, sealed[5:])
