"""Every row of the table against the server's side as its RFC has it, in every segmentation, and against nonsense."""

from __future__ import annotations

import itertools
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.servers.dialogues import REFUSALS, SCRIPTS, Peer, Script, Turn
from tlswire.errors import LookupFailedError
from tlswire.probe.dialogue import MAX_HEARD, Talk
from tlswire.probe.starttls import BY_NAME, PROTOCOLS, find, talk, usual_port

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = list(BY_NAME)
ALERT, HELLO_RECORD = b"\x15\x03\x01\x00\x02\x02\x28", b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76"

each_protocol = pytest.mark.parametrize("name", NAMES)


def converse(ours: Talk, script: Script, cut: Callable[[bytes], list[bytes]] = lambda data: [data]) -> bytes:
    """Let both sides talk, the server's words cut into pieces, until neither has more to say; what is left over."""
    peer = Peer(script)
    said = peer.receive(ours.to_send())
    words = peer.greet() + said
    while words:
        answers = b""
        for piece in cut(words):
            if ours.ready or ours.refusal:
                return ours.rest
            ours.feed(piece)
            answers += peer.receive(ours.to_send())
        words = answers
    assert ours.ready == peer.agreed or ours.refusal
    assert peer.rest == b""
    return ours.rest


def heard(name: str) -> bytes:
    """Everything the server says in a dialogue that ends well."""
    ours = talk(find(name), "localhost")
    assert converse(ours, SCRIPTS[name]) == b""
    return b"".join(words for by_us, words in ours.said if not by_us)


def fed(name: str, *pieces: bytes) -> Talk:
    """The dialogue when it hears these pieces, whatever it says."""
    ours = talk(find(name), "localhost")
    for piece in pieces:
        if ours.ready or ours.refusal:
            break
        ours.feed(piece)
    return ours


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted({cut % (len(data) + 1) for cut in cuts}), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges) if end > start]


def test_there_is_a_server_for_every_row() -> None:
    assert set(SCRIPTS) == set(REFUSALS) == set(NAMES)
    assert len(NAMES) == len(PROTOCOLS) >= 18


@each_protocol
def test_a_row_says_where_it_comes_from(name: str) -> None:
    row = find(name)
    assert re.match(r"RFC \d+|draft-|IRCv3|MS-|AMQP|MySQL|PostgreSQL|OpenVPN", row.source)
    assert 0 < row.port < 65536
    assert usual_port(name) == row.port


def test_no_protocol_is_https_and_an_unknown_one_is_told() -> None:
    assert usual_port("") == 443
    with pytest.raises(LookupFailedError, match="smtp, lmtp"):
        find("gopher")


def test_the_table_for_users_is_the_table_of_the_code() -> None:
    text = (Path(__file__).parents[2] / "docs" / "starttls.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w-]+)` \| (\d+) \| (\d+) \| (.*) \|$", text, re.MULTILINE)
    assert rows == [(row.name, str(row.port), str(row.width), row.source) for row in PROTOCOLS]
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    assert f"speaks {len(PROTOCOLS)} protocols" in readme


@each_protocol
def test_a_good_dialogue_leads_to_tls(name: str) -> None:
    ours = talk(find(name), "localhost")
    assert converse(ours, SCRIPTS[name]) == b""
    assert (ours.ready, ours.refusal, ours.offered) == (True, "", True)


@each_protocol
@given(cuts=st.lists(st.integers(0, 1 << 12), max_size=20))
def test_segments_make_no_difference(name: str, cuts: list[int]) -> None:
    whole, pieced = talk(find(name), "localhost"), talk(find(name), "localhost")
    converse(whole, SCRIPTS[name])
    converse(pieced, SCRIPTS[name], lambda data: pieces_of(data, cuts))
    assert pieced.ready
    assert pieced.said == whole.said


@each_protocol
def test_byte_by_byte_makes_no_difference(name: str) -> None:
    whole, pieced = talk(find(name), "localhost"), talk(find(name), "localhost")
    converse(whole, SCRIPTS[name])
    converse(pieced, SCRIPTS[name], lambda data: [data[at : at + 1] for at in range(len(data))])
    assert (pieced.ready, pieced.said) == (True, whole.said)


@each_protocol
def test_a_strict_prefix_is_not_yet_anything(name: str) -> None:
    words = heard(name)
    for length in range(len(words)):
        ours = fed(name, words[:length])
        assert (ours.ready, ours.refusal) == (False, ""), words[:length]


@each_protocol
def test_what_follows_the_go_ahead_is_left_alone(name: str) -> None:
    assert fed(name, heard(name) + HELLO_RECORD).rest == HELLO_RECORD


CASES = [(name, *case) for name, cases in REFUSALS.items() for case in cases]


@pytest.mark.parametrize(("name", "turn", "answer", "says"), CASES)
def test_a_refusal_is_told_in_the_server_s_words(name: str, turn: int, answer: bytes, says: str) -> None:
    script = SCRIPTS[name]
    if turn < 0:
        script = script._replace(greeting=answer)
    else:
        turns = list(script.turns)
        turns[turn] = Turn(turns[turn].said, answer)
        script = script._replace(turns=tuple(turns))
    refusals = set()
    for cut in (lambda data: [data], lambda data: [data[at : at + 1] for at in range(len(data))]):
        ours = talk(find(name), "localhost")
        converse(ours, script, cut)
        assert not ours.ready
        refusals.add(ours.refusal)
    (refusal,) = refusals
    assert refusal.startswith(f"refuses STARTTLS ({name}): ")
    assert says in refusal
    assert refusal.isprintable()
    assert refusal.isascii()


@pytest.mark.parametrize(
    ("name", "greeting", "ready"),
    [
        ("smtp", None, True),
        ("sieve", b'"IMPLEMENTATION" "x"\r\nOK\r\n', True),
        ("imap", b"* OK [CAPABILITY IMAP4rev1] ready\r\n", True),
        ("imap", b"* OK ready\r\n", False),
    ],
)
def test_what_is_not_offered_is_asked_for_all_the_same_and_told(
    name: str, greeting: bytes | None, *, ready: bool
) -> None:
    script = SCRIPTS[name]
    silent = greeting or script.greeting
    turns = tuple(
        turn._replace(answer=turn.answer.replace(b"STARTTLS", b"SOMETHING")) if isinstance(turn.answer, bytes) else turn
        for turn in script.turns
    )
    ours = talk(find(name), "localhost")
    converse(ours, Script(silent, turns))
    assert ours.ready
    assert ours.offered is not ready


def test_a_refusal_of_what_was_not_offered_says_so() -> None:
    ours = fed("smtp", b"220 hi\r\n", b"250 hi\r\n", b"502 no\r\n")
    assert ours.refusal == "refuses STARTTLS (smtp): 502 no (it was not offered)"


def test_xmpp_features_may_never_end() -> None:
    stream = b"<stream:stream><stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'>"
    ours = fed("xmpp-client", stream, b"<required/></starttls></stream:features><proceed xmlns='x'/>")
    assert ours.ready


@pytest.mark.parametrize("name", ["xmpp-client", "xmpp-server"])
@pytest.mark.parametrize("host", ["localhost", "a.example", "<&'>", "\u2603"])
def test_the_name_of_an_xmpp_server_stays_within_its_attribute(name: str, host: str) -> None:
    ours = talk(find(name), host)
    words = ours.to_send()
    assert words.count(b"<") == 2
    assert words.count(b"'") == 2 * 5
    assert Peer(SCRIPTS[name]).receive(words)


@each_protocol
@pytest.mark.parametrize("record", [ALERT, HELLO_RECORD, ALERT + ALERT])
def test_tls_from_the_first_byte_is_told(name: str, record: bytes) -> None:
    for pieces in ([record], [record[at : at + 1] for at in range(len(record))]):
        ours = fed(name, *pieces)
        assert ours.refusal == f"speaks TLS from the first byte, there is no {name} dialogue"


@pytest.mark.parametrize("name", ["smtp", "ftp", "nntp", "mysql", "ldap", "rdp", "vnc", "tds", "openvpn-tcp"])
@pytest.mark.parametrize("banner", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", b"\x00" * 40])
def test_another_protocol_is_told(name: str, banner: bytes) -> None:
    refusal = fed(name, banner).refusal
    assert refusal.startswith((f"does not speak {name}: ", f"refuses STARTTLS ({name}): "))
    assert refusal.isprintable()


@each_protocol
@given(data=st.lists(st.binary(min_size=1, max_size=80), max_size=8))
def test_random_bytes_end_in_a_line_or_in_waiting(name: str, data: list[bytes]) -> None:
    ours = fed(name, *data)
    assert ours.refusal.isprintable()
    assert len(ours.refusal) < 400


@each_protocol
@given(at=st.integers(0, 1 << 12), length=st.integers(0, 8), new=st.binary(max_size=8))
def test_a_spoilt_dialogue_ends_in_a_line_or_in_waiting(name: str, at: int, length: int, new: bytes) -> None:
    words = heard(name)
    at %= len(words)
    spoilt = words[:at] + new + words[at + length :]
    assume(spoilt != words)
    whole = fed(name, spoilt)
    pieced = fed(name, *(spoilt[at : at + 1] for at in range(len(spoilt))))
    assert (whole.ready, whole.refusal[:16]) == (pieced.ready, pieced.refusal[:16])
    assert whole.refusal.isprintable()


@each_protocol
@pytest.mark.parametrize("drop", [b"a", b"\n", b"250-x\r\n", b"* OK x\r\n", b"<a>", b"\0", b"\x30\x84\x00\x7f\xff\xff"])
def test_endless_talk_is_cut_off(name: str, drop: bytes) -> None:
    began = time.process_time()
    ours = fed(name)
    opening = SCRIPTS[name].greeting[:-1]  # so that whatever follows belongs to a reply
    ours.feed(opening)
    total = len(opening)
    while not ours.ready and not ours.refusal and total < 2 * MAX_HEARD:
        ours.feed(drop * (1 + 400 // len(drop)))
        total += 400
    assert ours.ready or ours.refusal
    assert time.process_time() - began < 2
