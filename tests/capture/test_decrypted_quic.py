"""What key logs make of QUIC: its Handshake packets, in whatever order they come, and what is said where they are closed."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tlswire
from captures.packets import Packet, recorded
from tlswire.capture.quic import MAX_EARLY
from tlswire.crypto.keylog import KeyLog, parse_keylog

from .made import gist
from .opened import PORT, RECORDED, keylog, read

if TYPE_CHECKING:
    from tlswire.results.session import Session

PATH = RECORDED / "keylog-quic.pcap"
LOG = parse_keylog(PATH.with_suffix(".keys").read_bytes())
CLIENT, SERVER = "CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET"
WITHOUT = "decrypted in part: no Finished of "


@cache
def connections() -> list[list[Packet]]:
    """The packets of each connection."""
    found: dict[int, list[Packet]] = {}
    for packet in recorded("keylog-quic"):
        ports = {int.from_bytes(packet.data[at : at + 2], "big") for at in (34, 36)}
        found.setdefault(min(ports - {PORT}), []).append(packet)
    return list(found.values())


# In the order in which aioquic was asked for them, which is that of the key log, too.
RANDOMS = list(LOG.secrets)
EVERY = pytest.mark.parametrize("number", range(7))


def one(packets: list[Packet], log: KeyLog | str = LOG) -> Session:
    (session,) = read(packets, log)
    return session


def is_server(packet: Packet) -> bool:
    return int.from_bytes(packet.data[34:36], "big") == PORT


def test_both_versions_and_every_suite_are_complete() -> None:
    sessions = [one(packets) for packets in connections()]
    assert [(session.decryption, session.notes) for session in sessions] == [("complete", [])] * 7
    assert Counter((session.quic_version, session.suite) for session in sessions) == {
        (version, suite): 1 + ((version, suite) == ("0x6B3343CF", "0x1303"))
        for version in ("0x00000001", "0x6B3343CF")
        for suite in ("0x1301", "0x1302", "0x1303")
    }


@EVERY
def test_a_missing_label_costs_its_side(number: int) -> None:
    random, packets = RANDOMS[number], connections()[number]
    whole, known = one(packets), LOG.of(random)
    for role, label in (("client", CLIENT), ("server", SERVER)):
        session = one(packets, keylog((random, {name: known[name] for name in known if name != label})))
        assert session.decryption == "partial"
        # aioquic closes the session with early data before it is through.
        notes = [note for note in session.notes if not note.startswith("connection closed in a Handshake packet")]
        assert notes == [f"the key log has no {label} of this session", f"{WITHOUT}{role}"]
        assert session.certificates == ([] if role == "server" else whole.certificates)
        assert (session.encrypted_extensions is None) == (role == "server")


@EVERY
def test_wrong_secrets_open_nothing(number: int) -> None:
    random, packets = RANDOMS[number], connections()[number]
    known, other = LOG.of(random), LOG.of(RANDOMS[number - 1])
    session = one(packets, keylog((random, dict(other))))
    assert session.decryption == "failed"
    assert session.notes == ["the secrets of the key log do not open the session's packets"]
    assert session.certificates == []
    session = one(packets, keylog((random, {**known, CLIENT: other[CLIENT]})))
    assert (session.decryption, session.notes) == ("partial", [f"{WITHOUT}client"])


@EVERY
def test_without_its_secrets_a_session_is_what_it_was(number: int) -> None:
    session, plain = one(connections()[number], KeyLog()), list(tlswire.sessions(PATH))[number]
    assert (session.decryption, session.notes, session.tickets) == ("no-secrets", [], None)
    assert (plain.decryption, plain.certificates) == (None, [])
    assert (session.suite, session.outcome, session.alpn) == (plain.suite, plain.outcome, plain.alpn)


@EVERY
def test_a_secret_of_the_wrong_size_is_still_a_secret(number: int) -> None:
    session = one(connections()[number], keylog((RANDOMS[number], {CLIENT: b"\1", SERVER: bytes(1000)})))
    assert session.decryption == "failed"


@EVERY
def test_handshake_packets_may_come_before_the_initial_they_belong_to(number: int) -> None:
    packets = connections()[number]
    answers = [packet for packet in packets if is_server(packet)]
    # The first datagram of the server, without the Handshake packets behind its Initial, comes last of its flight.
    backwards = [packet for packet in packets if not is_server(packet)][:1] + answers[::-1]
    rest = [packet for packet in packets if packet not in backwards]
    session = one(backwards + rest)
    assert session.decryption == "complete"
    assert gist(session) == gist(one(packets))


@settings(max_examples=60, deadline=None, database=None, derandomize=True)
@given(st.data())
def test_any_order_and_any_copies_give_the_same(data: st.DataObject) -> None:
    packets = connections()[data.draw(st.integers(0, 5))]
    first, *rest = packets
    mixed = data.draw(st.permutations(rest))
    again = data.draw(st.lists(st.sampled_from(packets), max_size=3))
    session = one([first, *mixed, *again])
    assert session.decryption == "complete"
    assert {item.sha256 for item in session.certificates} == {item.sha256 for item in one(packets).certificates}
    assert session.encrypted_extensions == one(packets).encrypted_extensions


@EVERY
def test_a_lost_datagram_is_never_taken_for_wrong_secrets(number: int) -> None:
    packets = connections()[number]
    states = set()
    for at in range(len(packets)):
        for session in read(packets[:at] + packets[at + 1 :], LOG):
            states.add(session.decryption)
            assert session.decryption != "failed"
            if session.decryption == "partial":
                assert any(note.startswith(WITHOUT) for note in session.notes)
    assert states > {"complete"}


@pytest.mark.parametrize("snaplen", [60, 200, 700, 1100])
def test_cut_datagrams_give_what_is_whole_in_them(snaplen: int) -> None:
    for packets in connections():
        cut = [Packet(item.time, item.data[:snaplen], len(item.data)) for item in packets]
        for session in read(cut, LOG):
            assert session.decryption != "failed"
            assert session.decryption != "complete" or session.certificates == one(packets).certificates


def test_packets_that_wait_for_the_server_are_bounded() -> None:
    first, *rest = connections()[0]
    handshakes = [packet for packet in rest if not is_server(packet)]
    session = one([first, *(handshakes * MAX_EARLY)[: 2 * MAX_EARLY], *rest])
    assert session.decryption == "complete"
