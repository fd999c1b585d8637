"""TLS found by its bytes: on any port, behind anything, in records of any size, with holes, and not where it is not."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.lab.hellos import sslv2_wire
from tlswire.wire.records import ALERT as ALERT_TYPE
from tlswire.wire.records import HANDSHAKE, fragment, sslv2_record

from .made import (
    ALERT,
    APPLICATION,
    CHANGE,
    CLIENT,
    FINISHED,
    KEY_EXCHANGE,
    SERVER,
    SSLV2_FRAMED,
    SSLV2_HELLO,
    TLS12,
    TLS13,
    Turn,
    Wire,
    answer,
    answer_records,
    gist,
    hello,
    one,
    read,
    turns,
    whole,
)

if TYPE_CHECKING:
    from tlswire.results.session import Session

FEW = settings(max_examples=60, deadline=None, database=None, derandomize=True)
WHOLE = gist(one(whole()))
CLIENTS_REST = KEY_EXCHANGE + CHANGE + FINISHED


def spoken(*said: Turn, ports: tuple[int, int] = (50000, 443), size: int = 1400) -> list[bytes]:
    wire = Wire(ports=ports)
    return [*wire.opening(), *wire.talk(*said, size=size), *wire.closing()]


def in_records(data: bytes, size: int) -> bytes:
    """Handshake messages in records of ``size`` bytes each."""
    at, body = 0, b""
    while at < len(data):
        length = int.from_bytes(data[at + 3 : at + 5], "big")
        body += data[at + 5 : at + 5 + length]
        at += 5 + length
    return fragment(HANDSHAKE, TLS12, body, size)


# Where it begins


@pytest.mark.parametrize("port", [1, 22, 25, 53, 80, 443, 5432, 31337, 65535])
def test_any_port_will_do(port: int) -> None:
    session = one(spoken(*turns(), ports=(50000, port)))
    assert session.protocol is None
    assert (session.server.port, session.outcome, session.notes) == (port, "established", [])


def test_the_server_may_have_the_higher_port() -> None:
    session = one(spoken(*turns(), ports=(443, 50000)))
    assert (session.client.port, session.server.port) == (443, 50000)


@FEW
@given(cut=st.integers(1, 60), size=st.sampled_from([1, 2, 5, 6, 11, 12, 1400]))
def test_segments_of_any_size_will_do(cut: int, size: int) -> None:
    wire = Wire()
    frames = wire.opening()
    for side, data in turns():
        frames += [wire.say(side, data[:cut]), *wire.talk((side, data[cut:]), size=max(size, len(data) // 90))]
    assert gist(one(frames + wire.closing())) == WHOLE


@pytest.mark.parametrize("segment", [1, 6, 7, 1400])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 7, 100])
def test_records_of_any_size_will_do(size: int, segment: int) -> None:
    first, flight = in_records(hello(), size), in_records(answer(), size)
    wire = Wire()
    frames = wire.opening() + [wire.say(CLIENT, first[at : at + segment]) for at in range(0, len(first), segment)]
    frames += wire.talk((SERVER, flight), *turns()[2:])
    session = one(frames)
    assert session.hellos[0].sha256 == WHOLE.hellos[0].sha256
    assert (session.suite, session.outcome) == ("0xC02F", "established")
    assert (len(session.hellos), len(session.certificates), session.notes) == (1, 1, [])


@pytest.mark.parametrize("size", [2, 3, 5, 11, 1400])
def test_an_sslv2_hello_begins_a_stream(size: int) -> None:
    session = one(spoken((CLIENT, SSLV2_HELLO), size=size))
    (found,) = session.hellos
    assert (found.record_version, found.legacy_version, found.suites) == ("0x0002", "0x0002", ["0x010080", "0x0700C0"])
    assert session.outcome == "closed"


@pytest.mark.parametrize("size", [2, 3, 5, 11, 1400])
def test_an_sslv2_framed_hello_may_be_answered_in_tls(size: int) -> None:
    # RFC 5246 appendix E.2.
    session = one(spoken((CLIENT, SSLV2_FRAMED), *turns()[1:], size=size))
    (found,) = session.hellos
    assert (found.record_version, found.legacy_version) == ("0x0002", "0x0301")
    assert (session.suite, session.outcome, session.notes) == ("0xC02F", "established", [])


def test_an_sslv2_hello_amid_a_stream_is_nothing() -> None:
    assert read(spoken((CLIENT, b"POST /blob\r\n\r\n"), (CLIENT, SSLV2_HELLO))).sessions == []
    assert read(spoken((CLIENT, b"x" + SSLV2_HELLO))).sessions == []


def test_an_sslv2_hello_whose_lengths_do_not_fit_is_nothing() -> None:
    for at in (0, 1, 6, 8, 10):
        changed = bytearray(SSLV2_HELLO)
        changed[at] ^= 0x21
        assert read(spoken((CLIENT, bytes(changed)))).sessions == []


def test_sslv2_kinds_are_those_of_the_hello() -> None:
    body = sslv2_wire([0x020080, 0x040080, 0x060040])
    assert one(spoken((CLIENT, body))).hellos[0].suites == ["0x020080", "0x040080", "0x060040"]


@pytest.mark.parametrize("size", [1, 2, 5, 6, 1400])
@pytest.mark.parametrize("data", [ALERT, fragment(ALERT_TYPE, TLS12, b"\x02\x28", 1)], ids=["one record", "two"])
def test_an_alert_is_the_whole_answer(data: bytes, size: int) -> None:
    session = one(spoken((CLIENT, hello()), (SERVER, data), size=size))
    assert [(item.sender, item.description) for item in session.alerts] == [("server", "handshake_failure")]
    assert session.outcome == "alert"


def test_an_answer_that_is_no_tls_is_noted() -> None:
    session = one(spoken((CLIENT, hello()), (SERVER, b"HTTP/1.1 400 Bad Request\r\n\r\n")))
    assert session.notes == ["the server answered with 28 bytes that are not TLS"]
    assert (session.server_hellos, session.outcome, session.protocol) == ([], "closed", None)


def test_hellos_one_after_the_other_are_one_session() -> None:
    session = one(spoken((CLIENT, hello()), (SERVER, ALERT), (CLIENT, hello(b"again.example"))))
    assert [item.server_name for item in session.hellos] == ["www.example.com", "again.example"]


def test_both_sides_sending_hellos_is_one_session() -> None:
    session = one(spoken((CLIENT, hello()), (SERVER, hello(b"other.example"))))
    assert session.client.port == 50000
    assert len(session.hellos) == 2


# Holes


def remarks(session: Session) -> set[str]:
    """The notes without their frames."""
    return {line.partition(", ")[2] or line for line in session.notes}


def holed(side: int, start: int, stop: int, *, step: int = 100) -> list[bytes]:
    """The handshake in segments of ``step`` bytes; those within a stretch of one side's bytes are lost."""
    wire = Wire()
    frames = wire.opening()
    for speaker, data in turns():
        for at in range(0, len(data), step):
            offset = wire.said[speaker]
            frame = wire.say(speaker, data[at : at + step])
            if speaker != side or not start <= offset < stop:
                frames.append(frame)
            frames.append(wire.segment(1 - speaker, wire.said[1 - speaker]))
    return frames + wire.closing()


def test_a_hole_in_the_client_hello() -> None:
    session = one(holed(CLIENT, 100, 200))
    (found,) = session.hellos
    assert (found.partial, found.suites, found.ja3) == (True, ["0xC02F"], None)
    assert remarks(session) == {
        "client: 100 bytes before were not captured",
        "client: 91 of 234 bytes of the ClientHello were captured",
    }
    # Its rest begins no record, the second flight does.
    assert (session.suite, session.outcome, len(session.certificates)) == ("0xC02F", "established", 1)


def test_a_hole_that_takes_the_head_of_the_client_hello() -> None:
    session = one(holed(CLIENT, 0, 100))
    assert session.hellos == []
    assert (session.client.port, session.suite, session.outcome) == (50000, "0xC02F", "established")
    assert remarks(session) == {"client: 100 bytes before were not captured"}


def test_a_hole_that_takes_all_of_the_client_hello() -> None:
    session = one(holed(CLIENT, 0, 243))
    assert session.hellos == []
    assert (session.client.port, session.suite, session.outcome) == (50000, "0xC02F", "established")
    assert remarks(session) == {"client: 243 bytes before were not captured"}


def test_a_hole_after_the_client_hello() -> None:
    session = one(holed(CLIENT, 243, 243 + len(CLIENTS_REST)))
    assert gist(session).hellos == WHOLE.hellos
    assert (session.suite, session.outcome) == ("0xC02F", "established")
    assert remarks(session) == {f"client: {len(CLIENTS_REST)} bytes before were not captured"}


def test_a_hole_before_the_client_hello_behind_a_dialogue() -> None:
    wire = Wire()
    frames = [*wire.opening(), wire.say(SERVER, b"* OK ready\r\n"), wire.say(CLIENT, b"a CAPABILITY\r\n")]
    wire.say(CLIENT, b"b STARTTLS\r\n")
    frames += [wire.say(SERVER, b"b OK begin\r\n"), *wire.talk(*turns())]
    session = one(frames + wire.closing())
    assert gist(session).hellos == WHOLE.hellos
    assert session.outcome == "established"
    assert session.protocol == "imap"
    assert remarks(session) == {"client: 12 bytes before were not captured"}


def test_a_hole_in_the_server_hello() -> None:
    session = one(holed(SERVER, 80, 100, step=20))
    (found,) = session.server_hellos
    assert (found.partial, found.suite) == (True, "0xC02F")
    assert session.outcome == "established"
    assert remarks(session) == {
        "server: 20 bytes before were not captured",
        "server: 71 of 95 bytes of the ServerHello were captured",
    }


@pytest.mark.parametrize(
    ("start", "certificates", "lost"), [(200, 0, "92 of 754 bytes of the Certificate"), (900, 1, "")]
)
def test_a_hole_in_a_record_of_many_messages_costs_those_behind_it(start: int, certificates: int, lost: str) -> None:
    # The whole flight is one record, as Schannel and BoringSSL send it.
    session = one(holed(SERVER, start, start + 100, step=100))
    assert [item.partial for item in session.server_hellos] == [False]
    assert len(session.certificates) == certificates
    assert session.outcome == "established"
    more = {f"server: {lost} were captured"} if lost else set()
    assert remarks(session) == {"server: 100 bytes before were not captured"} | more


def split_flight(hole: range) -> list[bytes]:
    """The handshake with one record a message for the server, the segments of ``hole`` lost."""
    wire = Wire()
    frames = [*wire.opening(), wire.say(CLIENT, hello())]
    flight = b"".join(answer_records())
    for number, at in enumerate(range(0, len(flight), 200)):
        frame = wire.say(SERVER, flight[at : at + 200])
        if number not in hole:
            frames.append(frame)
    frames += [wire.segment(CLIENT, wire.said[CLIENT]) for _ in range(5)]
    return [*frames, *wire.talk(*turns()[2:]), *wire.closing()]


def test_a_hole_in_the_certificate_costs_the_certificate_only() -> None:
    # ServerHello ends at 104, Certificate at 867, ServerKeyExchange at 1172: the hole is inside one record.
    session = one(split_flight(range(1, 3)))
    assert session.suite == "0xC02F"
    assert session.certificates == []
    assert session.key_exchange is not None
    assert session.outcome == "established"
    assert remarks(session) == {
        "server: 400 bytes before were not captured",
        "server: 87 of 754 bytes of the Certificate were captured",
    }


def test_a_hole_over_several_records_ends_at_the_next_segment_that_begins_with_one() -> None:
    session = one(split_flight(range(1, 6)))
    assert session.suite == "0xC02F"
    assert (session.certificates, session.key_exchange) == ([], None)
    assert session.outcome == "established"
    assert session.resumed is not True


def test_holes_everywhere_never_make_things_up() -> None:
    dice = Random(5)
    for _ in range(150):
        frames = [frame for frame in whole_in_small_segments() if dice.random() > 0.2]
        for session in read(frames).sessions:
            complete = [item.sha256 for item in session.hellos if not item.partial]
            assert complete in ([], [WHOLE.hellos[0].sha256])
            assert session.suite in {None, "0xC02F"}
            assert [item.sha256 for item in session.certificates] in ([], [WHOLE.certificates[0].sha256])
            assert session.alerts == []


def whole_in_small_segments() -> list[bytes]:
    wire = Wire()
    return wire.opening() + wire.talk(*turns(), size=90) + wire.closing()


@pytest.mark.parametrize("cut", range(104, 300, 7))
def test_frames_cut_short_by_the_capture_are_holes(cut: int) -> None:
    session = one(whole(), cut=cut)
    assert [item.partial for item in session.hellos] == [cut - 54 < len(hello())]
    assert any("were not captured" in line for line in session.notes)


# Where it is not


@FEW
@given(data=st.binary(min_size=1, max_size=3000), side=st.integers(0, 1), size=st.integers(20, 1400))
def test_random_bytes_are_no_tls(data: bytes, side: int, size: int) -> None:
    assert read(spoken((side, data), (1 - side, data[::-1]), size=size)).sessions == []


BODIES = {
    "a hello": hello(),
    "a hello amid others": bytes(500) + hello() + bytes(500),
    "a whole handshake": b"".join(data for _, data in turns()),
    "a capture": b"".join(bytes(16) + frame for frame in whole()),
}


@pytest.mark.parametrize("kind", BODIES)
@pytest.mark.parametrize("padding", [0, 3000])
def test_bytes_of_a_handshake_in_an_http_answer_are_no_session(kind: str, padding: int) -> None:
    body = bytes(padding) + BODIES[kind]
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.tcpdump.pcap\r\nContent-Length: %d\r\n\r\n" % len(body)
    said = ((CLIENT, b"GET /capture.pcap HTTP/1.1\r\nHost: files.example\r\n\r\n"), (SERVER, head + body))
    assert read(spoken(*said, ports=(50000, 80))).sessions == []


@pytest.mark.parametrize("kind", BODIES)
@pytest.mark.parametrize("joined", [True, False])
def test_bytes_of_a_handshake_in_an_http_upload_are_no_session(kind: str, joined: bool) -> None:
    body = BODIES[kind]
    head = b"POST /upload HTTP/1.1\r\nHost: files.example\r\nContent-Length: %d\r\n\r\n" % len(body)
    said = [(CLIENT, head + body)] if joined else [(CLIENT, head), (CLIENT, body)]
    assert read(spoken(*said, (SERVER, b"HTTP/1.1 204 No Content\r\n\r\n"), ports=(50000, 80))).sessions == []


def test_bulk_data_is_not_followed_for_ever() -> None:
    wire = Wire()
    bulk = [(side, bytes(1400)) for side in (CLIENT, SERVER) * 40]
    frames = wire.opening() + wire.talk((CLIENT, b"PUT"), *bulk, (CLIENT, hello()), (SERVER, answer()))
    assert read(frames).sessions == []


def test_tls_inside_tls_is_one_session() -> None:
    # The inner one is encrypted; a proxy that is spoken to in TLS is the outer.
    session = one(spoken(*turns(), (CLIENT, APPLICATION), (CLIENT, hello(b"inner.example")), (SERVER, answer())))
    assert [item.server_name for item in session.hellos] == ["www.example.com"]


def test_a_tls_1_3_handshake_is_told_once_and_both_sides_are_done() -> None:
    first = hello(versions=(TLS13, TLS12))
    said = ((CLIENT, first), (SERVER, answer(first)), (CLIENT, CHANGE + APPLICATION), (SERVER, APPLICATION))
    session = one(spoken(*said, *said))
    assert (session.version_name, session.outcome, session.notes) == ("TLS 1.3", "established", [])
    assert (len(session.hellos), len(session.server_hellos)) == (1, 1)


def test_a_record_that_is_none_ends_what_is_read_of_its_side() -> None:
    session = one(
        spoken((CLIENT, hello()), (SERVER, answer_records()[0] + b"\xff\xff\xff" * 10), (CLIENT, CLIENTS_REST))
    )
    assert session.suite == "0xC02F"
    assert len(session.hellos) == 1


def test_garbage_in_sslv2_records_is_no_session() -> None:
    assert read(spoken((CLIENT, sslv2_record(b"\x07" + bytes(20))), (SERVER, sslv2_record(b"\x01")))).sessions == []
