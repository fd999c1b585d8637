"""The PRFs against published vectors and the openssl command; what is made with them is tested by handshakes."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tlswire.crypto.prf import extended_master_secret, key_block, master_secret, prf, transcript_hash, verify_data

SECRET = bytes.fromhex("9bbe436ba940f017b17652849a71db35")
SEED = bytes.fromhex("a0ba9f936cda311827a6f796ffd5198c")
# The vector of the TLS working group's list for SHA-256; the others are what openssl kdf gives.
VECTORS = {
    (
        0x0303,
        "sha256",
    ): "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af"
    "0fa022f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff70187347b66",
    (0x0303, "sha384"): "dd88775cd827187b67a3f7652b5c13f715791cc46e0274a6d3fb16651103defc",
    (0x0301, ""): "661740e6f98bc901efd2738502a71c03f76dd2f86298549b1148eff06714cf0f",
    (0x0302, ""): "661740e6f98bc901efd2738502a71c03f76dd2f86298549b1148eff06714cf0f",
}


@pytest.mark.parametrize(("version", "digest"), [*VECTORS])
def test_vectors(version: int, digest: str) -> None:
    expected = bytes.fromhex(VECTORS[version, digest])
    for length in range(len(expected) + 1):
        assert prf(version, SECRET, "test label", SEED, length, digest) == expected[:length]


@pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl on PATH")
@pytest.mark.parametrize("size", [0, 1, 15, 16, 47, 48])
@pytest.mark.parametrize(
    ("version", "digest", "name"),
    [
        (0x0302, "", "MD5-SHA1"),
        (0x0303, "sha256", "SHA256"),
        (0x0303, "sha384", "SHA384"),
        (0x0303, "sha512", "SHA512"),
    ],
)
def test_as_openssl_has_it(version: int, digest: str, name: str, size: int) -> None:
    secret = bytes(range(1, size + 1))
    command = ["openssl", "kdf", "-binary", "-keylen", "104", "-kdfopt", f"digest:{name}"]
    command += ["-kdfopt", f"hexsecret:{secret.hex()}" if secret else "secret:", "-kdfopt", "seed:key expansion"]
    command += ["-kdfopt", f"hexseed:{SEED.hex()}", "TLS1-PRF"]
    told = subprocess.run(command, capture_output=True, check=False, timeout=20)
    if told.returncode and not secret:
        pytest.skip("this openssl takes no empty secret")
    assert prf(version, secret, "key expansion", SEED, 104, digest) == told.stdout


def test_key_block_and_master_secret_order_the_randoms() -> None:
    client, server = bytes(32), b"\xff" * 32
    assert master_secret(0x0303, SECRET, client, server) == prf(0x0303, SECRET, "master secret", client + server, 48)
    assert key_block(0x0303, SECRET, client, server, 9) == prf(0x0303, SECRET, "key expansion", server + client, 9)


@pytest.mark.parametrize(("version", "size"), [(0x0301, 36), (0x0302, 36), (0x0303, 32)])
def test_transcripts_are_hashed_as_the_version_has_it(version: int, size: int) -> None:
    digest = transcript_hash(version, b"messages")
    assert len(digest) == size
    assert extended_master_secret(version, SECRET, b"messages") == prf(
        version, SECRET, "extended master secret", digest, 48
    )


@pytest.mark.parametrize(("version", "size"), [(0x0300, 36), (0x0301, 12), (0x0302, 12), (0x0303, 12)])
def test_finished_depends_on_all_it_covers(version: int, size: int) -> None:
    values = {
        verify_data(version, master, transcript, server=server)
        for master in (bytes(48), b"\1" * 48)
        for transcript in (b"", b"messages")
        for server in (False, True)
    }
    assert len(values) == 8
    assert {len(value) for value in values} == {size}
