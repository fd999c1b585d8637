"""What key logs make of sessions over TCP: all of it, a part, nothing, and each time it is said what and why."""

from __future__ import annotations

import os
import shutil
import subprocess
import tracemalloc
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tlswire
from captures.packets import Packet, frames
from tlswire.capture.decrypted import AFTERWARDS, EARLY_DATA, TLS_KEY_LOG, Secrets
from tlswire.capture.tls import MAX_HELD
from tlswire.crypto.keylog import KeyLog, parse_keylog
from tlswire.wire.handshake import encode_handshake
from tlswire.wire.records import ALERT, APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE, fragment

from .fidelity import SHARED
from .hostile import not_for_ever
from .made import CLIENT, SERVER, gist
from .opened import PORT, RECORDED, Recording, Talk, keylog, one, read, recording

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tlswire.results.session import Session

TLS13, TLS12, OLDER = map(recording, ("keylog-tls13", "keylog-tls12", "keylog-older"))
LABELS = (
    "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
    "SERVER_HANDSHAKE_TRAFFIC_SECRET",
    "CLIENT_TRAFFIC_SECRET_0",
    "SERVER_TRAFFIC_SECRET_0",
)
ENDED = {"update.example", "refused.example", "distrusted.example"}
FULL = next(at for at in range(20) if len(TLS13.secrets(at)) >= 4)  # a session with nothing special
CERTIFIED = next(at for at in range(20) if one(TLS13.connections[at], TLS13.log).server_name == "client.example")
WITHOUT = "decrypted in part: no Finished of "


def flipped(secret: bytes) -> bytes:
    return secret[:-1] + bytes((secret[-1] ^ 1,))


def spoken(sessions: Iterable[Session]) -> list[tuple[object, ...]]:
    """What is read of sessions, without what a key log adds."""
    return [(item.first_frame, item.version, item.suite, len(item.hellos), item.retry) for item in sessions]


# Whole


@pytest.mark.parametrize("log", [TLS13, TLS12, OLDER], ids=["TLS 1.3", "TLS 1.2", "older"])
def test_every_session_of_the_recordings_is_complete(log: Recording) -> None:
    for chain in log.connections:
        session = one(chain, log.log)
        assert (session.decryption, session.notes) == ("complete", [])


def test_alerts_tell_whether_they_were_encrypted() -> None:
    by_name = {session.server_name: session for chain in TLS13.connections for session in [one(chain, TLS13.log)]}
    (clear,), (hidden,) = by_name["refused.example"].alerts, by_name["distrusted.example"].alerts
    assert (clear.description, clear.encrypted) == ("unknown_ca", False)
    assert (hidden.description, hidden.encrypted) == ("bad_certificate", True)
    assert by_name["distrusted.example"].outcome == "alert"


def test_a_certificate_that_is_opened_may_be_weak() -> None:
    chain = TLS13.connections[CERTIFIED]
    late = [item._replace(time=item.time + 20 * 365 * 86400 * 10**9) for item in chain]
    assert any("certificate expired" in text for text in one(late, TLS13.log).weak)
    assert one(late, KeyLog()).weak == []


# Wrong and partial key logs


@pytest.mark.parametrize("number", range(20))
def test_secrets_of_another_session_open_nothing(number: int) -> None:
    other = TLS13.secrets((number + 1) % 20)
    session = one(TLS13.connections[number], keylog((TLS13.random(number), other)))
    assert session.decryption in {"failed", "partial"}
    assert session.certificates == []
    assert session.encrypted_extensions is None
    assert not any(alert.encrypted for alert in session.alerts)
    assert any("the secrets of the key log do not open" in note for note in session.notes)
    without = one(TLS13.connections[number], KeyLog())
    assert spoken([session]) == spoken([without])
    assert session.outcome == without.outcome


def test_a_flipped_bit_of_both_secrets_is_a_failure_of_both() -> None:
    known = {label: flipped(secret) for label, secret in TLS13.secrets(FULL).items()}
    session = one(TLS13.connections[FULL], keylog((TLS13.random(FULL), known)))
    assert session.decryption == "failed"
    assert session.notes == [
        "the secrets of the key log do not open the server's records",
        "the secrets of the key log do not open the client's records",
    ]
    assert session.tickets is None


@pytest.mark.parametrize(("role", "label"), [("client", LABELS[0]), ("server", LABELS[1])])
def test_a_flipped_bit_of_one_side_leaves_the_other(role: str, label: str) -> None:
    known = TLS13.secrets(CERTIFIED)
    known[label] = flipped(known[label])
    session = one(TLS13.connections[CERTIFIED], keylog((TLS13.random(CERTIFIED), known)))
    assert session.decryption == "partial"
    assert session.notes == [
        f"the secrets of the key log do not open the {role}'s records",
        f"{WITHOUT}{role}",
    ]
    assert {item.sender for item in session.certificates} == {"client", "server"} - {role}


@pytest.mark.parametrize("label", LABELS[2:])
def test_a_flipped_bit_of_what_comes_after_the_handshake_is_said(label: str) -> None:
    known = TLS13.secrets(FULL)
    known[label] = flipped(known[label])
    session = one(TLS13.connections[FULL], keylog((TLS13.random(FULL), known)))
    role = label.split("_", maxsplit=1)[0].lower()
    assert session.decryption == "complete"
    assert session.notes == [f"the {role}'s records after its Finished do not open"]
    assert (session.tickets is None) == (role == "server")


@pytest.mark.parametrize("label", LABELS)
def test_each_missing_label_costs_what_it_opens(label: str) -> None:
    whole = one(TLS13.connections[CERTIFIED], TLS13.log)
    known = TLS13.secrets(CERTIFIED)
    del known[label]
    session = one(TLS13.connections[CERTIFIED], keylog((TLS13.random(CERTIFIED), known)))
    role = label.split("_", maxsplit=1)[0].lower()
    lacking = f"the key log has no {label} of this session"
    if "HANDSHAKE" in label:
        assert session.decryption == "partial"
        assert session.notes == [lacking, f"{WITHOUT}{role}"]
        assert session.certificates == [item for item in whole.certificates if item.sender != role]
        assert (session.encrypted_extensions is None) == (role == "server")
    else:
        assert session.decryption == "complete"
        assert session.notes == [f"{lacking}: what came after the handshake is not read"]
        assert session.certificates == whole.certificates
        assert session.alerts == [item for item in whole.alerts if item.sender != role]
    assert session.tickets == (None if role == "server" else whole.tickets)
    assert session.outcome == "established"


@pytest.mark.parametrize("label", ["CLIENT_EARLY_TRAFFIC_SECRET", "EXPORTER_SECRET", "CLIENT_RANDOM"])
def test_secrets_that_open_no_record_are_no_secrets(label: str) -> None:
    session = one(TLS13.connections[FULL], keylog((TLS13.random(FULL), {label: bytes(32)})))
    assert session.decryption == "no-secrets"
    assert session.notes == [f"the key log has no {label} of this session" for label in LABELS[:2]]
    session = one(OLDER.connections[0], keylog((OLDER.random(0), {"EXPORTER_SECRET": bytes(32)})))
    assert session.decryption == "no-secrets"
    assert session.notes == ["the key log has no CLIENT_RANDOM of this session"]


@pytest.mark.parametrize("log", [TLS12, OLDER], ids=["TLS 1.2", "older"])
def test_a_wrong_master_secret_opens_nothing(log: Recording) -> None:
    for number, chain in enumerate(log.connections):
        session = one(chain, keylog((log.random(number), {"CLIENT_RANDOM": bytes(48)})))
        assert session.decryption == "failed"
        assert session.notes == [
            f"the secrets of the key log do not open the {side}'s records"
            for side in (("server", "client") if session.resumed else ("client", "server"))
        ]
        assert spoken([session]) == spoken([one(chain, KeyLog())])


def test_a_wrong_premaster_opens_nothing() -> None:
    number = next(at for at in range(len(TLS12.connections)) if not TLS12.secrets(at))
    wrong = KeyLog(premasters={name: flipped(secret) for name, secret in TLS12.log.premasters.items()})
    assert one(TLS12.connections[number], wrong).decryption == "failed"


@pytest.mark.parametrize("log", [TLS13, TLS12, OLDER], ids=["TLS 1.3", "TLS 1.2", "older"])
def test_a_key_log_of_others_adds_nothing_but_its_absence(log: Recording) -> None:
    stranger = parse_keylog(keylog((bytes(32), dict.fromkeys(LABELS, bytes(32)))))
    for chain in log.connections:
        with_log, (without,) = one(chain, stranger), read(frames(chain), "")
        assert with_log.decryption == "no-secrets"
        assert with_log.notes == []
        known = {"decryption": None, "tickets": None}
        assert {field: getattr(with_log, field) for field in with_log.__struct_fields__} | known == {
            field: getattr(one(chain, KeyLog()), field) for field in with_log.__struct_fields__
        } | known
        assert spoken([with_log]) == spoken([without])


def test_a_handshake_that_ends_in_clear_has_no_state() -> None:
    path = RECORDED / "alert-unknown-ca.pcap"
    (session,) = tlswire.sessions(path, keylog=TLS12.log)
    assert (session.decryption, session.outcome) == (None, "alert")


# Secrets


def test_what_was_given_goes_before_what_is_inside() -> None:
    given = parse_keylog(keylog((bytes(32), {LABELS[0]: b"given"})))
    inside = keylog((bytes(32), {LABELS[0]: b"inside", LABELS[1]: b"inside"}), (b"\1" * 32, {LABELS[0]: b"other"}))
    secrets = Secrets(given, [(TLS_KEY_LOG, inside.encode())])
    assert secrets.of(bytes(32)) == {LABELS[0]: b"given", LABELS[1]: b"inside"}
    assert secrets.of(b"\1" * 32) == {LABELS[0]: b"other"}
    assert secrets.of(b"\2" * 32) == {}


def test_blocks_are_read_as_they_come_and_the_first_one_wins() -> None:
    blocks: list[tuple[int, bytes]] = []
    secrets = Secrets(None, blocks)
    assert not secrets
    blocks.append((0x57474B4C, keylog((bytes(32), {LABELS[0]: b"of wireguard"})).encode()))
    assert not secrets
    blocks.append((TLS_KEY_LOG, keylog((bytes(32), {LABELS[0]: b"first"})).encode()))
    assert secrets
    blocks.append((TLS_KEY_LOG, keylog((bytes(32), {LABELS[0]: b"later", LABELS[1]: b"later"})).encode()))
    assert secrets.of(bytes(32)) == {LABELS[0]: b"first", LABELS[1]: b"later"}
    blocks.append((TLS_KEY_LOG, b"RSA 0011223344556677 abcd\n"))
    assert secrets.premaster(bytes.fromhex("0011223344556677")) == b"\xab\xcd"
    assert secrets.premaster(b"") is None


def test_many_blocks_take_linear_time() -> None:
    blocks = [(TLS_KEY_LOG, f"RSA {number:016x} abcd\n".encode()) for number in range(1 << 16)]
    with not_for_ever("each block copied all before it"):
        assert Secrets(None, blocks).premaster((77).to_bytes(8, "big")) == b"\xab\xcd"


def test_sessions_takes_text_bytes_and_what_was_parsed() -> None:
    path = RECORDED / "keylog-older.pcap"
    data = path.with_suffix(".keys").read_bytes()
    for log in (data, data.decode(), parse_keylog(data)):
        assert [session.decryption for session in tlswire.sessions(path, keylog=log)] == ["complete"] * 4
    assert [session.decryption for session in tlswire.sessions(path)] == [None] * 4
    assert [session.decryption for session in tlswire.sessions(path, keylog="")] == ["no-secrets"] * 4


# Holes, order, cuts


@pytest.mark.parametrize("log", [TLS13, TLS12], ids=["TLS 1.3", "TLS 1.2"])
def test_a_hole_is_never_taken_for_wrong_secrets(log: Recording) -> None:
    states = Counter[str | None]()
    for chain in log.connections:
        whole = one(chain, log.log)
        for at, missing in enumerate(chain):
            if not missing.payload:
                continue
            (session,) = read(frames(chain[:at] + chain[at + 1 :]), log.log) or [whole]
            states[session.decryption] += 1
            assert session.decryption != "failed"
            shown, known = ([item.sha256 for item in found.certificates] for found in (session, whole))
            assert set(shown) <= set(known)
            assert not any("secrets of the key log do not open" in note for note in session.notes)
            if log is TLS13 and session.decryption == "complete":
                assert shown == known
            if session.decryption == "partial":
                assert any(note.startswith(WITHOUT) for note in session.notes)
    assert states["partial"] > 10
    assert states["no-secrets"] > 10  # without the hello nobody knows whose it is
    assert states["complete"] > 10  # after the handshake


def test_a_hole_inside_the_encrypted_flight_says_its_size_and_frame() -> None:
    chain = TLS13.connections[FULL]
    answer = next(at for at, item in enumerate(chain) if item.payload[:1] == b"\x16" and item.sport == PORT)
    pieces = [
        chain[answer]._replace(seq=chain[answer].seq + at, payload=chain[answer].payload[at : at + 200])
        for at in range(0, len(chain[answer].payload), 200)
    ]
    session = one([*chain[:answer], *pieces[:3], *pieces[4:], *chain[answer + 1 :]], TLS13.log)
    assert session.decryption == "partial"
    assert session.encrypted_extensions is not None
    assert session.certificates == []
    assert session.notes[0].startswith("frame ")
    assert session.notes[0].endswith(", server: 200 encrypted bytes before were not captured")
    assert session.notes[1] == f"{WITHOUT}server"


@pytest.mark.parametrize("size", [1, 7, 90])
@pytest.mark.parametrize("log", [TLS13, TLS12, OLDER], ids=["TLS 1.3", "TLS 1.2", "older"])
def test_small_segments_and_retransmissions_change_nothing(log: Recording, size: int) -> None:
    for chain in log.connections:
        pieces = [
            item._replace(seq=item.seq + at, payload=item.payload[at : at + size])
            for item in chain
            for at in range(0, max(len(item.payload), 1), size)
            for _ in range(1 + (size == 90))
        ]
        assert gist(one(pieces, log.log)) == gist(one(chain, log.log))


@settings(max_examples=60, deadline=None, database=None, derandomize=True)
@given(st.data())
def test_sides_may_overtake_each_other_in_the_capture(data: st.DataObject) -> None:
    log = data.draw(st.sampled_from([TLS13, TLS12]))
    number = data.draw(st.integers(0, len(log.connections) - 1))
    whole = log.connections[number]
    chain = [item for item in whole if item.payload]
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(chain) - 2))
        if chain[at].sport != chain[at + 1].sport:
            chain[at : at + 2] = [chain[at + 1], chain[at]]
    start = [item for item in whole if not item.payload][:2]
    session, expected = one(start + chain, log.log), one(start + [item for item in whole if item.payload], log.log)
    early = expected.retry is not None and expected.early_data
    if log is TLS13 and not early:
        assert session.decryption == "complete"
        assert session.certificates[:1] == [] or session.encrypted_extensions == expected.encrypted_extensions
        assert {item.sha256 for item in session.certificates} == {item.sha256 for item in expected.certificates}
        assert session.tickets == expected.tickets
    else:
        assert session.decryption != "failed"


def test_the_answer_may_stand_before_the_hello() -> None:
    chain = [item for item in TLS13.connections[FULL] if item.payload]
    start = [item for item in TLS13.connections[FULL] if not item.payload][:2]
    chain[0], chain[1] = chain[1], chain[0]
    assert (chain[0].sport, chain[1].dport) == (PORT, PORT)
    session = one(start + chain, TLS13.log)
    assert (session.decryption, session.tickets, len(session.certificates)) == ("complete", 2, 2)


@pytest.mark.parametrize("log", [TLS13, TLS12], ids=["TLS 1.3", "TLS 1.2"])
def test_captures_that_begin_in_the_middle_do_not_fail(log: Recording) -> None:
    for chain in log.connections:
        for at in range(len(chain)):
            for session in read(frames(chain[at:]), log.log):
                assert session.decryption != "failed"
                assert session.hellos or session.decryption != "complete"


@pytest.mark.parametrize("snaplen", [100, 300, 600, 1000])
def test_cut_packets_are_holes(snaplen: int) -> None:
    for chain in TLS13.connections:
        cut = [Packet(item.time, item.data[:snaplen], len(item.data)) for item in frames(chain)]
        for session in read(cut, TLS13.log):
            assert session.decryption in {"partial", "no-secrets", "complete", None}


@pytest.mark.parametrize("side", [CLIENT, SERVER])
def test_one_direction_alone_tells_what_is_in_it(side: int) -> None:
    chain = [item for item in TLS13.connections[FULL] if (item.sport == PORT) == (side == SERVER)]
    session = one(chain, TLS13.log)
    assert session.decryption in {None, "no-secrets"}
    assert spoken([session]) == spoken([one(chain, KeyLog())])
    assert session.outcome == one(chain, KeyLog()).outcome


# Peers that do as they please


def test_a_talk_of_our_own_is_complete() -> None:
    talk = Talk()
    talk.say(SERVER, HANDSHAKE, encode_handshake(8, b"\0\0"))
    talk.finish(SERVER)
    talk.finish(CLIENT)
    assert (talk.session().decryption, talk.session().tickets) == ("complete", 0)


def test_authentication_after_the_handshake_keeps_the_keys() -> None:
    talk = Talk()
    talk.finish(SERVER)
    talk.finish(CLIENT)
    talk.say(SERVER, HANDSHAKE, encode_handshake(13, b"\1\1\0\0"))
    talk.say(CLIENT, HANDSHAKE, encode_handshake(11, b"\1\1\0\0\0") + encode_handshake(20, bytes(32)))
    talk.say(CLIENT, ALERT, b"\1\0")
    session = talk.session()
    assert session.decryption == "complete"
    assert session.notes == []
    assert [alert.description for alert in session.alerts] == ["close_notify"]


def test_messages_of_the_server_beyond_the_bound_end_it_with_a_note() -> None:
    talk = Talk()
    talk.say(SERVER, HANDSHAKE, b"\x0b\x7f\xff\xff" + bytes(100))
    for _ in range(200):
        talk.say(SERVER, HANDSHAKE, bytes(1 << 14))
    talk.finish(CLIENT)
    tracemalloc.start()
    session = talk.session()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert session.decryption == "partial"
    assert session.notes == [
        "the server's records, opened: handshake.length: length 8388607 is over this reader's bound of 262144 at byte 95",
        f"{WITHOUT}server",
    ]
    assert most < 16 << 20


@pytest.mark.parametrize(
    ("content", "data"),
    [(CHANGE_CIPHER_SPEC, b"\1"), (0, b"\1"), (99, b"x"), (HANDSHAKE, b""), (ALERT, b"\2")],
    ids=["ChangeCipherSpec", "no type", "unknown type", "empty", "half an alert"],
)
def test_records_that_no_peer_may_send_are_told_or_wait(content: int, data: bytes) -> None:
    talk = Talk()
    talk.say(SERVER, content, data)
    talk.finish(SERVER)
    talk.finish(CLIENT)
    session = talk.session()
    assert session.decryption == "partial"
    assert session.notes[-1] == f"{WITHOUT}server"
    assert all(note.isprintable() for note in session.notes)


def test_a_message_over_a_change_of_keys_is_told() -> None:
    talk = Talk()
    talk.say(SERVER, HANDSHAKE, encode_handshake(20, bytes(32)) + encode_handshake(4, bytes(20)))
    talk.finish(CLIENT)
    session = talk.session()
    assert session.tickets is None
    assert session.decryption == "complete"
    assert "a handshake message goes over a change of keys" in session.notes[0]


def test_bodies_that_are_no_messages_are_told() -> None:
    talk = Talk()
    for kind in (8, 11, 13, 25):
        talk.say(SERVER, HANDSHAKE, encode_handshake(kind, b"\xff"))
    talk.say(SERVER, HANDSHAKE, encode_handshake(25, b"\0\2\0\0\5\0\0\2xx"))
    talk.finish(SERVER)
    talk.finish(CLIENT)
    session = talk.session()
    assert session.decryption == "complete"
    assert len(session.notes) == 5
    assert all(note.startswith("frame ") and note.isprintable() for note in session.notes)


@settings(max_examples=100, deadline=None, database=None, derandomize=True)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([CLIENT, SERVER]),
            st.sampled_from([20, 21, 22, 22, 22, 23, 24, 0, 255]),
            st.binary(max_size=12) | st.integers(0, 26).map(lambda kind: encode_handshake(kind, b"\0\0")),
            st.booleans(),
        ),
        max_size=12,
    )
)
def test_whatever_is_under_the_keys_is_read_without_a_fault_of_ours(
    records: list[tuple[int, int, bytes, bool]],
) -> None:
    talk = Talk()
    for side, content, data, sealed in records:
        if sealed:
            talk.say(side, content, data)
        else:
            talk.plain(side, fragment(content, 0x0303, data))
    session = talk.session()
    assert all(note.isprintable() for note in session.notes)


@pytest.mark.parametrize(
    ("early", "before", "after", "state"),
    [
        (True, EARLY_DATA << 1, EARLY_DATA >> 1, "complete"),
        (True, 0, EARLY_DATA << 1, "partial"),
        (False, 0, 1 << 13, "partial"),
    ],
    ids=["below the bound", "beyond it", "not offered"],
)
def test_early_data_without_its_secret_is_waited_through_up_to_a_bound(
    early: bool, before: int, after: int, state: str
) -> None:
    piece = bytes(1 << 13)
    talk = Talk(early=early, before=[piece] * (before >> 13))
    talk.finish(SERVER)
    for _ in range(after >> 13):
        talk.plain(CLIENT, talk.hidden.seal(APPLICATION_DATA, piece))
    talk.finish(CLIENT)
    assert talk.session().decryption == state


def test_records_before_any_hello_wait_up_to_a_bound() -> None:
    chain = [item for item in TLS13.connections[FULL] if item.payload]
    start = [item for item in TLS13.connections[FULL] if not item.payload][:2]
    flood = b"".join(fragment(APPLICATION_DATA, 0x0303, bytes(1000)) for _ in range(1 + MAX_HELD // 1000))
    hello, answer = chain[:2]
    more = [
        hello._replace(seq=hello.seq + len(hello.payload) + at, payload=flood[at : at + 1400])
        for at in range(0, len(flood), 1400)
    ]
    session = one([*start, hello, *more, answer], TLS13.log)
    assert session.decryption == "partial"
    assert session.encrypted_extensions is not None


def test_sessions_are_told_when_enough_came_after_the_handshake() -> None:
    talk = Talk()
    talk.finish(SERVER)
    talk.finish(CLIENT)
    for _ in range(AFTERWARDS + 10):
        talk.say(SERVER, APPLICATION_DATA, b"x")
    talk.say(SERVER, ALERT, b"\1\0")
    session = talk.session()
    assert session.decryption == "complete"
    assert session.alerts == []


def test_key_updates_are_followed_and_a_flood_of_them_ends() -> None:
    from tlswire.crypto.protection import protection13  # noqa: PLC0415
    from tlswire.crypto.schedule import next_secret  # noqa: PLC0415

    talk = Talk()
    talk.finish(SERVER)
    talk.finish(CLIENT)
    secret = talk.secrets["SERVER_TRAFFIC_SECRET_0"]
    for _ in range(500):
        talk.say(SERVER, HANDSHAKE, encode_handshake(24, b"\0"))
        secret = next_secret("sha256", secret)
        talk.keys[SERVER] = protection13(0x1301, secret)
    talk.say(SERVER, ALERT, b"\2\x50")
    (alert,) = talk.session().alerts
    assert (alert.description, alert.encrypted) == ("internal_error", True)


# What tshark reads with the same secrets

tshark = shutil.which("tshark")
needs_tshark = pytest.mark.skipif(
    tshark is None and "TLSWIRE_REQUIRE_STACKS" not in os.environ, reason="tshark is not installed"
)


def certificates_of_tshark(capture: Path, log: Path | None = None) -> Counter[str]:
    """SHA-256 sums of every certificate that tshark reads in a capture."""
    keys = [] if log is None else ["-o", f"tls.keylog_file:{log}"]
    command = ["tshark", "-r", str(capture), *keys, "-T", "fields", "-e", "tls.handshake.certificate"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return Counter(sha256(bytes.fromhex(item)).hexdigest() for line in told.split() for item in line.split(","))


def certificates(sessions: Iterable[Session]) -> Counter[str]:
    return Counter(item.sha256 for session in sessions for item in session.certificates)


@needs_tshark
@pytest.mark.parametrize("name", ["keylog-tls13", "keylog-tls12", "keylog-older", "keylog-quic"])
def test_certificates_are_those_that_tshark_reads(name: str) -> None:
    path, keys = RECORDED / f"{name}.pcap", RECORDED / f"{name}.keys"
    ours, theirs = certificates(tlswire.sessions(path, keylog=keys.read_bytes())), certificates_of_tshark(path, keys)
    assert ours
    assert ours == theirs


_TEST = "wireshark-4.0.17/test"


@needs_tshark
@pytest.mark.skipif(not SHARED.exists() and "TLSWIRE_REQUIRE_STACKS" not in os.environ, reason="../shared is not there")
@pytest.mark.parametrize(
    ("capture", "keys", "states"),
    [
        (f"{_TEST}/captures/tls12-dsb.pcapng", None, 2),
        ("FoxIO-LLC+ja4/pcap/http2-with-cookies.pcapng", None, 1),
        ("FoxIO-LLC+ja4/pcap/chrome-cloudflare-quic-with-secrets.pcapng", None, 2),
        (f"{_TEST}/captures/tls13-rfc8446.pcap", "tls13-rfc8446", 2),
        (f"{_TEST}/captures/tls13-20-chacha20poly1305.pcap", "tls13-20-chacha20poly1305", 2),
        (f"{_TEST}/captures/tls12-chacha20poly1305.pcap", "tls12-chacha20poly1305", 7),
    ],
    ids=lambda value: Path(value).stem if isinstance(value, str) and "/" in value else "",
)
def test_public_captures_give_the_certificates_that_tshark_reads(capture: str, keys: str | None, states: int) -> None:
    path = SHARED / "captures" / capture
    log = None if keys is None else SHARED / "captures" / _TEST / "keys" / f"{keys}.keys"
    found = list(tlswire.sessions(path, keylog=None if log is None else log.read_bytes()))
    assert [session.decryption for session in found] == ["complete"] * states
    assert certificates(found) == certificates_of_tshark(path, log)
    assert certificates(found)
