"""The captures of ``captures/``: what we read of them is what the side that made them says, and they can be made again."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import tlswire
from captures.make import transformations

if TYPE_CHECKING:
    from collections.abc import Callable

    from tlswire.results.session import Session

CAPTURES = Path(__file__).parents[2] / "captures"
EXPECTED: dict[str, dict[str, Any]] = json.loads((CAPTURES / "expected.json").read_text(encoding="utf-8"))
KEYLOGS = sorted((CAPTURES / "recorded").glob("*.keys"))
LARGEST = 2 << 20


class _Any:
    """Equal to whatever is asked for."""

    def __eq__(self, _: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


def _ech(session: Session) -> object:
    found = session.hellos[0].ech
    if found is None:
        return None
    return _Any() if found.kind == "unknown" else found.kind


# A fact of expected.json -> the same of a session. A fact that is not named there is not known.
VIEWS: dict[str, Callable[[Session], object]] = {
    "transport": lambda session: session.transport,
    "quic_version": lambda session: session.quic_version,
    "address": lambda session: session.server.address,
    "protocol": lambda session: session.protocol,
    "tunnel": lambda session: session.tunnel is not None,
    "process": lambda session: session.process and {"pid": session.process.pid, "name": session.process.name},
    "server_name": lambda session: session.server_name,
    "version": lambda session: session.version,
    "suite": lambda session: session.suite,
    "group": lambda session: session.group,
    "prime_bits": lambda session: session.key_exchange and session.key_exchange.bits,
    "alpn": lambda session: session.alpn,
    "offered_alpn": lambda session: session.hellos[0].alpn,
    "hellos": lambda session: len(session.hellos),
    "hello_form": lambda session: session.hellos[0].record_version,
    # Only the owner of the key can tell (RFC 9849 section 6.2): not to know is right, the contrary is wrong.
    "ech": _ech,
    "partial": lambda session: session.hellos[0].partial,
    "server_hellos": lambda session: len(session.server_hellos),
    "retry": lambda session: session.retry is not None,
    "certificates": lambda session: [certificate.sha256 for certificate in session.certificates],
    "certificate_request": lambda session: session.certificate_request is not None,
    "alerts": lambda session: [
        {"from": alert.sender, "level": alert.level, "description": alert.description} for alert in session.alerts
    ],
    "encrypted_alerts": lambda session: sum(alert.encrypted for alert in session.alerts),
    "decryption": lambda session: session.decryption,
    "encrypted_extensions": lambda session: session.encrypted_extensions,
    "tickets": lambda session: session.tickets,
    "resumed": lambda session: session.resumed,
    "not_resumed": lambda session: session.resumed is not True,
    "early_data": lambda session: session.early_data,
    "outcome": lambda session: session.outcome,
    "noted": lambda session: bool(session.notes),
    "start": lambda session: pytest.approx(session.start, abs=2e-3),
}


def facts(session: Session, wanted: dict[str, Any]) -> dict[str, Any]:
    return {fact: VIEWS[fact](session) for fact in wanted}


@pytest.mark.parametrize("name", EXPECTED)
def test_sessions_are_those_that_were_made(name: str) -> None:
    if name.endswith(".zst"):
        pytest.importorskip("zstandard", reason="the extra tlswire[zstd] is not installed")
    expected = EXPECTED[name]["sessions"]
    found = sorted(tlswire.sessions(CAPTURES / name), key=lambda session: session.first_frame)
    assert len(found) == len(expected)
    for session, known in zip(found, expected, strict=True):
        wanted = {"transport": "tcp", "decryption": None} | {key: known[key] for key in known if key != "opened"}
        assert facts(session, wanted) == wanted


@pytest.mark.parametrize("path", KEYLOGS, ids=lambda path: path.stem)
def test_the_key_log_shows_what_both_sides_say_of_what_they_encrypted(path: Path) -> None:
    name = f"recorded/{path.stem}.pcap"
    found = sorted(tlswire.sessions(CAPTURES / name, keylog=path.read_bytes()), key=lambda session: session.first_frame)
    for session, known in zip(found, EXPECTED[name]["sessions"], strict=True):
        wanted = known | known["opened"] | {"decryption": "complete"}
        for fact in {"opened"} | ({"alerts"} - set(known["opened"])):
            wanted.pop(fact, None)
        assert facts(session, wanted) == wanted
        assert session.notes == []


def test_twenty_sessions_of_tls_1_3_are_among_them() -> None:
    sessions = EXPECTED["recorded/keylog-tls13.pcap"]["sessions"]
    assert [session["version"] for session in sessions] == ["0x0304"] * 20
    assert {session["suite"] for session in sessions if "suite" in session} == {f"0x130{at}" for at in range(1, 6)}


@pytest.mark.parametrize("item", transformations(), ids=lambda item: item.name)
def test_script_makes_the_same_bytes_again(item: Any) -> None:
    if item.name.endswith(".gz") and "ng" in zlib.ZLIB_RUNTIME_VERSION:
        pytest.skip("zlib-ng compresses to other bytes than zlib")
    assert item.make() == (CAPTURES / "made" / item.name).read_bytes()


def test_every_capture_is_described_and_all_together_are_small() -> None:
    there = {
        str(path.relative_to(CAPTURES))
        for folder in ("recorded", "made")
        for path in (CAPTURES / folder).iterdir()
        if path.suffix != ".keys"
    }
    assert there == set(EXPECTED)
    assert sum((CAPTURES / name).stat().st_size for name in there) < LARGEST
