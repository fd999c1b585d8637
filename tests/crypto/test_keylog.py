"""Key logs: what is written reads back, what is broken is told by its line, and nothing is fatal."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlswire.crypto import keylog
from tlswire.crypto.keylog import LABELS, MAX_FAULTS, KeyLog, format_line, merged, parse_keylog

LAWS = settings(max_examples=100, deadline=None, database=None, derandomize=True)
RANDOM = bytes(range(32))
labels = st.sampled_from(sorted(LABELS))
randoms = st.binary(min_size=32, max_size=32)


@LAWS
@given(
    st.dictionaries(st.tuples(randoms, labels), st.binary(max_size=70), max_size=8),
    st.sampled_from(["", "# x\n", "\r\n"]),
)
def test_what_is_written_reads_back(secrets: dict[tuple[bytes, str], bytes], between: str) -> None:
    text = between.join(format_line(label, random, secret) for (random, label), secret in secrets.items() if secret)
    for data in (text, text.encode(), text.replace("\n", "\r\n"), text.upper().encode()):
        log = parse_keylog(data)
        assert (log.faults, log.faulty, log.unknown, log.cut) == ((), 0, 0, False)
        for (random, label), secret in secrets.items():
            assert log.of(random).get(label, b"") == secret


@LAWS
@given(st.binary(max_size=200) | st.text(max_size=100))
def test_any_bytes_are_read(data: bytes | str) -> None:
    log = parse_keylog(data)
    assert log.secrets == {}


@LAWS
@given(labels, randoms, st.binary(min_size=1, max_size=48), st.data())
def test_every_strict_prefix_of_a_line_is_a_fault(
    label: str, random: bytes, secret: bytes, data: st.DataObject
) -> None:
    line = format_line(label, random, secret).rstrip()
    cut = line[: data.draw(st.integers(len(label), len(label) + 66))]
    log = parse_keylog(cut)
    assert log.secrets == {}
    assert [number for number, _ in log.faults] == [1]


def test_an_empty_log_knows_nobody() -> None:
    assert parse_keylog("") == KeyLog()
    assert KeyLog().of(RANDOM) == {}


def test_lines_of_nss_for_rsa() -> None:
    log = parse_keylog(f"RSA 0011223344556677 {'ab' * 48}\nRSA 00 {'ab' * 48}\n")
    assert log.premasters == {bytes.fromhex("0011223344556677"): b"\xab" * 48}
    assert log.faults == ((2, "1 bytes after RSA, not 8"),)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (f"CLIENT_RANDOM {RANDOM.hex()}", "2 words, not a label and two of hexadecimal digits"),
        (f"CLIENT_RANDOM {RANDOM.hex()} 00 00", "4 words, not a label and two of hexadecimal digits"),
        (f"CLIENT_RANDOM {RANDOM.hex()} 0", "not hexadecimal digits in pairs"),
        (f"CLIENT_RANDOM {RANDOM.hex()} zz", "not hexadecimal digits in pairs"),
        ("CLIENT_RANDOM 00 00", "1 bytes after CLIENT_RANDOM, not 32"),
        (f"CLIENT_RANDOM {RANDOM.hex()} {'00' * keylog.MAX_LINE}", f"over {keylog.MAX_LINE} characters"),
    ],
)
def test_broken_lines_are_told(line: str, reason: str) -> None:
    good = format_line("CLIENT_RANDOM", RANDOM, b"secret")
    log = parse_keylog(f"# made by hand\n{line}\n{good}")
    assert log.faults == ((2, reason),)
    assert log.of(RANDOM) == {"CLIENT_RANDOM": b"secret"}


def test_the_first_of_two_secrets_wins_and_the_other_is_told() -> None:
    lines = [format_line("EXPORTER_SECRET", RANDOM, secret) for secret in (b"one", b"one", b"two")]
    log = parse_keylog("".join(lines))
    assert log.of(RANDOM) == {"EXPORTER_SECRET": b"one"}
    assert log.faults == ((3, "another secret for what an earlier line has"),)


def test_unknown_labels_are_counted() -> None:
    assert parse_keylog("NEW_SECRET 00 00\nNEW_SECRET 00\nother\n").unknown == 3


def test_faults_are_bounded() -> None:
    log = parse_keylog("CLIENT_RANDOM 0\n" * (MAX_FAULTS + 5))
    assert (len(log.faults), log.faulty) == (MAX_FAULTS, MAX_FAULTS + 5)


def test_lines_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keylog, "MAX_LINES", 2)
    assert not parse_keylog("\n#").cut
    log = parse_keylog("\n\n" + format_line("CLIENT_RANDOM", RANDOM, b"secret"))
    assert log.cut
    assert log.secrets == {}


def test_lines_beyond_the_bound_are_left_out_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keylog, "MAX_LINES", 2)
    line = format_line("EXPORTER_SECRET", RANDOM, b"secret")
    assert not parse_keylog(line * 2).cut
    assert parse_keylog("#\n#\n" + line) == KeyLog(cut=True)


def test_of_several_logs_the_first_wins() -> None:
    first = parse_keylog(format_line("EXPORTER_SECRET", RANDOM, b"first") + "RSA 0011223344556677 aa\n")
    later = parse_keylog(
        format_line("EXPORTER_SECRET", RANDOM, b"later")
        + format_line("CLIENT_RANDOM", RANDOM, b"master")
        + format_line("CLIENT_RANDOM", bytes(32), b"other")
        + "RSA 0011223344556677 bb\nRSA 8899aabbccddeeff cc\n"
    )
    both = merged([first, later])
    assert both.of(RANDOM) == {"EXPORTER_SECRET": b"first", "CLIENT_RANDOM": b"master"}
    assert both.of(bytes(32)) == {"CLIENT_RANDOM": b"other"}
    assert sorted(both.premasters.values()) == [b"\xaa", b"\xcc"]
    assert merged([]) == KeyLog()
