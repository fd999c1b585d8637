from __future__ import annotations

import pickle
from collections import Counter

import pytest

from tlswire.report import tally
from tlswire.report.sessions import Material, Rows, Summary, render
from tlswire.report.table import WIDTH, fit, listed, moment
from tlswire.results.session import Ech, Endpoint, Process

from .made import HOSTILE, JA4, UNCHOSEN, hello, refused, session

WEAK = session(
    server_name="old.example.com",
    version="0x0301",
    version_name="TLS 1.0",
    suite_name="TLS_RSA_WITH_RC4_128_SHA",
    group=None,
    group_name=None,
    weak=["TLS 1.0 (RFC 8996)", "RC4 (RFC 7465)", "no forward secrecy (RFC 9325 4.1)"],
)
GREASE = Ech("ech", "grease", "its config id", None)
MIXED = [
    *[session(start=1_700_000_000.0 + second) for second in range(5)],
    WEAK,
    refused(server_name=None),
    session(**UNCHOSEN, outcome="unanswered", server=Endpoint("2001:db8::1", 443), server_name=None),
    session(transport="quic", hellos=[hello(ja4="q13d0312h3_55b375c5d22e_06cda9e17597", ech=GREASE)]),
    session(protocol="smtp", resumed=True, process=Process(7, "mail"), server=Endpoint("192.0.2.9", 25)),
    session(outcome="reset", notes=["frame 12, client: 1460 bytes before were not captured"]),
    session(outcome="incomplete", hellos=[], notes=["frame 7, client: 2 bytes before were not captured"]),
]


def summed(*sessions: object) -> Summary:
    summary = Summary()
    for item in sessions:
        summary.add(item)  # type: ignore[arg-type]  # sessions
    return summary


def material(**fields: object) -> Material:
    return Material(**{"name": "made.pcap", "captures": 1, "frames": 1234, "size": 99, "sessions": len(MIXED)} | fields)  # type: ignore[arg-type]


def plain(text: str) -> str:
    for code in ("31", "32", "33", "1", "2", "0"):
        text = text.replace(f"\033[{code}m", "")
    return text


def test_weak_comes_first_then_what_failed_then_servers_then_clients() -> None:
    text = render(summed(*MIXED), material())
    places = [
        text.index(word) for word in ("Weak, 1 of 12", "Not established, 3", "Servers, weak first", "Clients by JA4")
    ]
    assert places == sorted(places)
    assert text.index("  RC4 (RFC 7465)") < text.index("  TLS 1.0 (RFC 8996)") < text.index("  no forward secrecy")
    assert text.index("old.example.com  192.0.2.1:443") < text.index("\n  www.example.com")


def test_the_head_says_what_was_read() -> None:
    lines = render(summed(*MIXED), material()).splitlines()
    assert lines[0] == "made.pcap"
    assert lines[1] == "  1,234 frames, 99 bytes, 2023-11-14 22:13:20 to 22:13:24 UTC (4 s)"
    assert lines[2].startswith("  12 sessions (11 TCP, 1 QUIC): 8 established, ")
    assert lines[3] == "  1 begun in another protocol, 1 resumed, 1 with ECH grease"


def test_servers_tell_what_they_chose_and_for_whom() -> None:
    lines = render(summed(*MIXED), material()).splitlines()
    at = lines.index("  www.example.com  192.0.2.1:443")
    assert lines[at + 1].split() == ["TLS", "1.2", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "x25519", "7", JA4, "+1"]
    assert lines[at + 2].strip() == "5 established, 1 connection reset, 1 incomplete"
    assert "  www.example.com  192.0.2.9:25  smtp" in lines
    assert "  www.example.com  192.0.2.1:443  QUIC" in lines
    at = lines.index("  [2001:db8::1]:443")
    assert lines[at + 1].split()[:4] == ["-", "no", "answer", "1"]
    assert any(line.split()[:5] == ["-", "handshake_failure", "from", "server", "1"] for line in lines)
    assert any(line.split() == [JA4, "10", "TLS", "1.3", "mail", "10.0.0.1"] for line in lines)


def test_several_addresses_of_a_name_are_counted() -> None:
    sessions = [session(server=Endpoint(f"192.0.2.{number}", 443)) for number in range(40)]
    assert "  www.example.com  port 443 of 3 addresses" in render(summed(*sessions[:3]), material())
    assert "  www.example.com  port 443 of more than 16 addresses" in render(summed(*sessions), material())


def test_like_notes_count_as_one() -> None:
    text = render(summed(*MIXED), material())
    assert "2  client: N bytes before were not captured" in text
    odd = session(notes=["server: type 0x55 begins no TLS 1.2 or SSLv2 at byte 77"])
    assert "server: type N begins no TLS 1.2 or SSLv2 at byte N" in render(summed(odd), material())
    assert "(RFC 9000 8.1)" in render(summed(session(notes=["Retry 5 (RFC 9000 8.1)"])), material())


def test_days_of_certificates_do_not_make_a_row_each() -> None:
    expired = [session(weak=[f"certificate expired on 2024-01-{day:02}"]) for day in range(1, 20)]
    text = render(summed(*expired, session(weak=["certificate not valid before 2030-01-01"])), material())
    assert "  certificate expired    19  www.example.com\n" in text
    assert "  certificate not valid   1  www.example.com\n" in text


def test_reasons_are_cut_only_where_names_need_the_room() -> None:
    text = render(summed(session(weak=["64-bit blocks (SWEET32 CVE-2016-2183)"])), material(), width=80)
    assert "  64-bit blocks (SWEET32 CVE-2016-2183)  1  www.example.com\n" in text


def test_what_was_left_out_and_what_is_damaged_is_said() -> None:
    met = material(
        damage=["made.pcap: cut short at byte 9, after frame 3"],
        ignored=Counter({f"reason {number}": number + 1 for number in range(12)}),
        encrypted_only=3,
        evicted=1,
        unreadable=2,
        notes=["5 hellos written"],
    )
    text = render(summed(*MIXED), met)
    assert not met.complete
    assert "\n  cut short at byte 9, after frame 3\n" in text
    assert "  2 files could not be read\n" in text
    assert "12 frames not read: reason 11" in text
    assert "10 frames not read for other reasons" in text
    assert "3 connections with TLS whose handshake is not in the capture" in text
    assert "1 connection given up: too many were open at once" in text


def test_no_sessions_is_an_answer() -> None:
    assert "no TLS, DTLS or QUIC session" in render(Summary(), material(sessions=0))
    assert "none of 12 sessions passes the filters" in render(Summary(), material())
    assert "3 of 12 sessions" in render(summed(*MIXED[:3]), material())


def test_a_brief_report_has_no_tables() -> None:
    text = render(summed(*MIXED), material(encrypted_only=1), brief=True)
    assert "12 sessions" in text
    assert "Left out" in text
    assert "Servers" not in text


@pytest.mark.parametrize("width", [70, 80, WIDTH])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    wide = [
        session(server_name="a" * 240 + ".example.com", version_name="TLS 1.3 draft 28", notes=["n" * 300]),
        session(
            server_name="b.example.com",
            suite_name="TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
            group_name="X25519MLKEM768",
            weak=["w" * 300],
            process=Process(1, "p" * 300),
        ),
        *(session(client=Endpoint(f"2001:db8:1111:2222:3333:4444:5555:{n:x}", 1)) for n in range(30)),
    ]
    for line in render(summed(*wide, *MIXED), material(), width=width).splitlines():
        assert len(line) <= width, line


def test_long_tables_are_cut_and_say_so() -> None:
    sessions = [session(server_name=f"{number}.example.com") for number in range(40)]
    assert "  and 15 servers; --top 0 shows every row\n" in render(summed(*sessions), material())
    assert "39.example.com" in render(summed(*sessions), material(), top=0)


def test_colour_is_only_colour() -> None:
    coloured = render(summed(*MIXED), material(), colour=True)
    assert coloured != plain(coloured) == render(summed(*MIXED), material())
    rows = [Rows(80, colour=colour)(WEAK) for colour in (True, False)]
    assert rows[0] != plain(rows[0]) == rows[1]


def test_strings_from_outside_are_escaped() -> None:
    evil = session(server_name=HOSTILE, protocol=HOSTILE, weak=[HOSTILE], notes=[HOSTILE], process=Process(1, HOSTILE))
    met = material(name=HOSTILE, damage=[HOSTILE], notes=[HOSTILE], ignored=Counter({HOSTILE: 1}))
    text = render(summed(evil), met) + Rows()(evil) + Rows(80)(evil)
    assert all(char.isprintable() or char == "\n" for char in text)
    assert "\\x1b[31m\\u202e\\r\\n" in text


def test_sums_of_parts_are_the_sum_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Full tables included: what they keep does not depend on the order, nor on who kept it."""
    monkeypatch.setattr(tally, "MAX_SERVERS", 20)
    monkeypatch.setattr(tally, "MAX_CLIENTS", 20)
    sessions = [
        session(
            server_name=f"{number % 90}.example.com",
            server=Endpoint(f"192.0.2.{number % 200}", 443),
            client=Endpoint(f"10.0.{number % 7}.{number % 250}", 1),
            suite_name=f"TLS_{number % 31}",
            hellos=[hello(ja4=f"t13d{number % 70:04}h2_8daaf6152771_e5627efa2ab1")],
            notes=[f"kind {chr(97 + number % 26)}"],
        )
        for number in range(1000)
    ] + MIXED
    whole = render(summed(*sessions), material(), top=0)
    assert "and more than 1 servers" in whole
    for parts in (2, 3, 7):
        merged = Summary()
        for part in reversed(range(parts)):
            merged.merge(pickle.loads(pickle.dumps(summed(*sessions[part::parts]))))
        assert render(merged, material(), top=0) == whole


def test_rows_tell_everything_where_there_is_room() -> None:
    rows = pickle.loads(pickle.dumps(Rows()))
    assert rows.heading().split() == (
        [
            "frame",
            "time",
            "via",
            "client",
            "server",
            "server",
            "name",
            "version",
            "suite",
            "group",
            "JA4",
            "outcome",
            "marks",
        ]
    )
    line = rows(session(weak=["RC4"], resumed=True, retry="a cookie", early_data=True, hellos=[hello(ech=GREASE)]))
    assert line.split() == [
        *(
            "1",
            "2023-11-14T22:13:20.250000Z",
            "tcp",
            "10.0.0.1:50000",
            "192.0.2.1:443",
            "www.example.com",
            "TLS",
            "1.2",
        ),
        *("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "x25519", JA4, "established", "WRHe0"),
    ]


@pytest.mark.parametrize("width", [40, 60, 80, 110, 160, 250])
def test_rows_fit_the_terminal_and_keep_what_matters(width: int) -> None:
    rows = Rows(width)
    assert len(rows.heading()) <= width
    for item in (WEAK, refused(server_name="x" * 100 + ".example.com"), session(server_name=None)):
        assert len(rows(item)) <= width
    assert "old.example.com" in rows(WEAK)
    assert "192.0.2.1:443" in rows(session(server_name=None))


def test_rows_keep_what_tells_suites_and_endings_apart() -> None:
    long = session(suite_name="TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", outcome="reset")
    row = Rows(80)(long)
    assert "RSA_WITH_AES_256_GCM_SHA384" in row
    assert row.endswith("reset")
    assert "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384" in Rows()(long)


def test_cells() -> None:
    assert fit("abcdef", 4) == "abc…"
    assert fit("abcdef", 4, "end") == "…def"
    assert listed(["a", "b", "c"], 20) == "a, b, c"
    assert listed(["aaaaaa", "bbbbbb", "cc"], 17) == "aaaaaa and 2 more"
    assert listed(["a", "b"], 40, open_end=True) == "a, b and at least 1 more"
    assert listed(["a" * 50], 20) == "…" + "a" * 19
    assert listed([], 20) == ""


@pytest.mark.parametrize("seconds", [0.0, 1e18, -1e18])
def test_times_that_no_calendar_knows_are_empty(seconds: float) -> None:
    assert moment(seconds) == ""


def test_the_head_says_what_key_logs_opened() -> None:
    states: list[object] = ["complete", "complete", "partial", "failed", "no-secrets", "no-secrets", None]
    several = summed(*[session(decryption=state) for state in states])
    assert (
        "\n  2 sessions decrypted with key logs, 1 in part, 1 with secrets that do not open them, 2 without secrets\n"
        in (render(several, material(sessions=7), width=140))
    )
    assert "\n  1 session decrypted with key logs\n" in render(
        summed(session(decryption="complete")), material(sessions=1)
    )
    assert "key log" not in render(summed(session()), material(sessions=1))
    merged = summed(session(decryption="complete"))
    merged.merge(summed(session(decryption="complete"), session(decryption="no-secrets")))
    assert merged.decryptions == {"complete": 2, "no-secrets": 1}
