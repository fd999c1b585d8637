from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tlswire.hello.builder import Shape
from tlswire.probe.exchange import Answer
from tlswire.registry import SCSV, SSLV2_KINDS, SUITES
from tlswire.scan.offers import SMALL_HELLO, Probe, ProbeMaker, faults_of
from tlswire.wire.extension_bodies import KeyShareEntry
from tlswire.wire.extensions import encode_extension
from tlswire.wire.messages import Extension, ServerHello
from tlswire.wire.sslv2 import SSLv2ServerHello

TLS12, TLS13 = 0x0303, 0x0304
RETRY_RANDOM = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")  # RFC 9846 4.2.3

MAKER = ProbeMaker(Shape(server_name=b"a.example"))
OLD = MAKER.probe(TLS12, (0xC02F, 0x002F))
NEW = MAKER.probe(TLS13, (0x1301,))


def hello(probe: Probe, **changes: Any) -> Answer:
    """The correct answer to ``probe`` but for ``changes``."""
    assert probe.hello is not None
    newest = probe.versions[0]
    extensions: tuple[Extension, ...] = ()
    if newest == TLS13:
        share = KeyShareEntry(0x001D, bytes(31) + b"\x09")
        extensions = (
            Extension(43, encode_extension(43, TLS13, "sh")),
            Extension(51, encode_extension(51, share, "sh")),
        )
    plain = ServerHello(min(newest, TLS12), bytes(32), probe.hello.session_id, probe.suites[0], 0, extensions or None)
    value = msgspec.structs.replace(plain, **changes)
    return Answer("retry" if value.is_retry else "hello", hello=value)


def group(code: int, message: str = "sh") -> tuple[Extension, ...]:
    value: Any = code if message == "hrr" else KeyShareEntry(code, bytes(32))
    return (
        Extension(43, encode_extension(43, TLS13, message)),
        Extension(51, encode_extension(51, value, message)),
    )


def kinds(probe: Probe, answer: Answer) -> list[str]:
    found = faults_of(probe, answer)
    assert all(line.isprintable() and line for _, line in found)
    return [kind for kind, _ in found]


@pytest.mark.parametrize("probe", [OLD, NEW])
def test_a_correct_answer_has_no_fault(probe: Probe) -> None:
    assert kinds(probe, hello(probe)) == []


def test_alerts_and_endings_have_none() -> None:
    for kind in ("alert", "close", "reset", "timeout", "not-tls", "unasked"):
        assert faults_of(OLD, Answer(kind)) == ()


@pytest.mark.parametrize(
    ("probe", "changes", "expected"),
    [
        (OLD, {"suite": 0x0005}, "suite"),
        (NEW, {"suite": 0xC02F}, "suite"),
        (OLD, {"legacy_version": 0x0304}, "version"),
        (OLD, {"legacy_version": 0x7F12}, "version"),
        (OLD, {"legacy_version": 0x0200}, "version"),
        (OLD, {"compression": 1}, "compression"),
        (OLD, {"extensions": (Extension(0xFE99, b""),)}, "extension"),
        (OLD, {"extensions": (Extension(16, b"\x00\x03\x02h2"),)}, "extension"),
        (OLD, {"extensions": (Extension(23, b""), Extension(23, b""))}, "duplicate-extension"),
        (NEW, {"session_id": b"other"}, "session-id"),
        (NEW, {"extensions": group(0xFE99)}, "group"),
        (NEW, {"extensions": group(0x0016)}, "group"),
        (NEW, {"extensions": group(0x001D, "hrr"), "random": RETRY_RANDOM}, "group"),
        (NEW, {"extensions": group(0x0016, "hrr"), "random": RETRY_RANDOM}, "group"),
    ],
)
def test_each_kind_of_fault(probe: Probe, changes: dict[str, Any], expected: str) -> None:
    assert set(kinds(probe, hello(probe, **changes))) == {expected}


def test_what_may_come_unasked() -> None:
    assert kinds(OLD, hello(OLD, extensions=(Extension(0xFF01, b"\0"),))) == []
    cookie = Extension(44, encode_extension(44, b"crumbs", "hrr"))
    retry = {"extensions": (*group(0x0018, "hrr"), cookie), "random": RETRY_RANDOM}
    assert kinds(NEW, hello(NEW, **retry)) == []
    assert kinds(NEW, hello(NEW, extensions=(*group(0x001D), cookie))) == ["extension"]


def test_an_older_version_is_a_refusal_of_the_newer_and_no_fault() -> None:
    # A client that sends legacy_version alone says "this or older" (RFC 5246 appendix E.1).
    assert kinds(OLD, hello(OLD, legacy_version=0x0301)) == []


def test_a_server_that_never_heard_of_supported_versions_is_at_no_fault() -> None:
    # It goes by legacy_version, which says "TLS 1.2 or older" (RFC 9846 section 4.3.1).
    assert kinds(NEW, hello(NEW, legacy_version=0x0301, extensions=None)) == []


def test_unreadable_answers_are_malformed() -> None:
    assert faults_of(OLD, Answer("fault", reason="length 9")) == (("malformed", "length 9"),)


def test_sslv2_kinds_that_were_not_offered() -> None:
    probe = MAKER.probe(0x0002, (0x010080,))
    answer = SSLv2ServerHello(0, 1, 2, b"", (0x010080, 0x0700C0), b"id")
    assert kinds(probe, Answer("hello", sslv2=answer)) == ["suite"]


def test_faults_survive_hostile_extensions() -> None:
    for code in (43, 51, 10, 16, 0):
        for body in (b"", b"\xff", b"\xff\xff" + bytes(40)):
            faults_of(
                NEW, hello(NEW, extensions=(Extension(43, encode_extension(43, TLS13, "sh")), Extension(code, body)))
            )


def test_titles() -> None:
    assert OLD.title == "TLS 1.2 2 suites"
    assert NEW.title == "TLS 1.3 0x1301"
    assert MAKER.probe(0x0002, (0x0700C0,)).title == "SSLv2 0x0700C0"
    assert MAKER.probe((TLS13, TLS12), (0x1301, 0xC02F)).title == "TLS 1.3+TLS 1.2 2 suites"


@pytest.mark.parametrize("name", [None, b"x" * 51 + b".example"])
def test_single_probes_are_small(name: bytes | None) -> None:
    maker = ProbeMaker(Shape(server_name=name, alpn=(b"h2", b"http/1.1")))
    for row in SUITES:
        if row.code in SCSV:
            continue
        for version in (0x0300, 0x0301, 0x0302, TLS12, TLS13):
            probe = maker.probe(version, (row.code,))
            assert len(probe.payload) <= SMALL_HELLO, (probe.title, len(probe.payload))


def test_probes_come_from_the_seed_alone() -> None:
    def stream(seed: int) -> list[bytes]:
        maker = ProbeMaker(Shape(), seed)
        return [maker.probe(version, (0x1301,)).payload for version in (TLS12, TLS13, 0x0002, 0x0300)]

    assert stream(3) == stream(3)
    assert stream(3) != stream(4)
    assert len(set(stream(3))) == 4


def test_sslv2_probes_have_no_hello_value() -> None:
    probe = MAKER.probe(0x0002, tuple(row.code for row in SSLV2_KINDS))
    assert probe.hello is None
    assert probe.payload[2] == 1
