"""Folders of findings: what stands in them for every kind of exchange, and that the smaller case takes the place."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tlswire.capture.reader import sessions
from tlswire.report.evidence import Evidence, capture, name_of, write
from tlswire.results import ProvenFinding
from tlswire.results.finding import Reaction, Sent
from tlswire.results.scan import Target, Tool

from .pages import HOSTILE

if TYPE_CHECKING:
    from pathlib import Path

HELLO = bytes.fromhex("160301002d010000290303" + "00" * 32 + "00" + "0002c02f" + "0100")[:50]
ALERT = bytes.fromhex("15030300020228")


def finding(payload: bytes = HELLO, received: bytes = ALERT, second: bytes = b"", **fields: Any) -> ProvenFinding:
    sent: dict[str, Any] = {"cuts": [], "pause": 0.0, "fin": False, "tail": False, "secret": "", "client": False}
    sent |= {key: fields.pop(key) for key in list(fields) if key in sent}
    ending = fields.pop("ending", "close")
    known: dict[str, Any] = {
        "cause": "sni: alert:40 where alert:50 is due",
        "level": "MUST",
        "case": "S01",
        "name": "sni-zero-body",
        "group": "sni",
        "clause": "RFC 6066 3",
        "text": "alert:40; RFC 6066 3 allows alert:50",
        "history": "",
        "differences": ["server_name 14 -> 0 bytes"],
        "allowed": ["alert:50"],
        "reaction": Reaction(
            first="alert:40",
            reaction="alert:40",
            flight=["alert:40"],
            version=None,
            faults=[],
            ending=ending,
            elapsed_s=0.1,
        ),
        "target": Target("localhost", 443, "127.0.0.1", "localhost"),
        "seed": 0,
        "stack": None,
        "features": ["tls12"],
        "script": Sent(payload=payload.hex(), message="", again=second.hex(), again_message="", **sent),
        "sent": (payload + second).hex(),
        "received": received.hex(),
        "local": "127.0.0.1",
        "local_port": 5000,
        "confirmed": "2026-01-02T03:04:05.678Z",
        "contacts": 3,
        "tool": Tool("tlswire", "0"),
    }
    return ProvenFinding(**known | fields)


def dissected(where: Path, one: ProvenFinding, *fields: str) -> list[list[str]]:
    if shutil.which("tshark") is None:
        pytest.skip("no tshark on PATH")
    file = where / "exchange.pcapng"
    file.write_bytes(capture(one))
    command = ["tshark", "-r", str(file), "-T", "fields", *(word for field in fields for word in ("-e", field))]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return [line.split("\t") for line in lines]


def test_cuts_are_segments_and_half_closes_stand_before_the_answer(tmp_path: Path) -> None:
    rows = dissected(tmp_path, finding(cuts=[3, 10], fin=True), "tcp.srcport", "tcp.len", "tcp.flags.fin")
    told = [(port == "5000", int(length), fin in {"1", "True"}) for port, length, fin in rows[3:]]
    assert told == [
        (True, 3, False),
        (True, 7, False),
        (True, 40, False),
        (True, 0, True),
        (False, 7, False),
        (False, 0, True),
    ]


def test_a_reset_is_one(tmp_path: Path) -> None:
    rows = dissected(tmp_path, finding(ending="reset", received=b""), "tcp.srcport", "tcp.flags.reset")
    assert rows[-1][0] == "443"
    assert rows[-1][1] in {"1", "True"}
    assert sum(row[1] in {"1", "True"} for row in rows) == 1


def test_a_second_hello_stands_behind_what_asked_for_it(tmp_path: Path) -> None:
    retry = bytes.fromhex("160303002a020000260303" + "00" * 32 + "00" + "c02f" + "00")
    rows = dissected(tmp_path, finding(received=retry + ALERT, second=HELLO), "tls.handshake.type", "tls.alert_message")
    told = [row for row in rows if any(row)]
    assert [row[0] for row in told] == ["1", "2", "1", ""]
    assert told[-1][1]


def test_our_own_reader_opens_it(tmp_path: Path) -> None:
    (tmp_path / "x.pcapng").write_bytes(capture(finding(local="::1", target=Target("h", 443, "::1", None))))
    (session,) = sessions(tmp_path / "x.pcapng")
    assert (session.server.address, session.server.port, len(session.hellos)) == ("::1", 443, 1)
    assert session.alerts[0].description == "handshake_failure"


def test_what_never_connected_has_no_packets(tmp_path: Path) -> None:
    assert dissected(tmp_path, finding(local="", local_port=0, received=b""), "frame.number") == []


def test_a_smaller_case_of_a_cause_takes_the_place_and_foreign_files_stay(tmp_path: Path) -> None:
    kept = Evidence(tmp_path)
    first, second = finding(), finding(case="S02")
    kept.add(first)
    (tmp_path / name_of(first) / "notes").write_bytes(b"")
    kept.add(second)
    assert {path.name for path in (tmp_path / name_of(first)).iterdir()} == {"notes"}
    assert kept.folders == {first.cause: tmp_path / name_of(second)}
    third = finding(case="S03")
    kept.add(third)
    assert {path.name for path in tmp_path.iterdir()} == {name_of(first), name_of(third)}


def test_hostile_words_are_escaped_in_texts_and_no_part_of_a_path(tmp_path: Path) -> None:
    words: dict[str, Any] = dict.fromkeys(("cause", "name", "clause", "text", "history", "stack"), HOSTILE)
    one = finding(
        case=f"../{HOSTILE}", differences=[HOSTILE], target=Target(HOSTILE, 443, "127.0.0.1", HOSTILE), **words
    )
    Evidence(tmp_path).add(one)
    (folder,) = tmp_path.iterdir()
    assert msgspec.json.decode((folder / "finding.json").read_bytes(), type=ProvenFinding) == one
    for name in ("README.txt", "hello.txt"):
        assert all(line.isprintable() for line in (folder / name).read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize("payload", [b"", b"\x16", bytes(200_000)])
def test_whatever_was_sent_can_be_kept(tmp_path: Path, payload: bytes) -> None:
    Evidence(tmp_path).add(finding(payload, b""))
    (folder,) = tmp_path.iterdir()
    assert bytes.fromhex((folder / "sent.hex").read_text()) == payload


@pytest.mark.parametrize(
    ("local", "address", "shown"),
    [("127.0.0.1", None, "192.0.2.1"), ("::1", None, "2001:db8::1"), ("::1", "127.0.0.1", "2001:db8::1")],
)
def test_behind_a_proxy_the_server_s_address_may_be_nobody_s(
    local: str, address: str | None, shown: str, tmp_path: Path
) -> None:
    target = Target("h", 25, address, "h", "smtp", "http://[::1]:3128")
    (tmp_path / "x.pcapng").write_bytes(capture(finding(local=local, target=target)))
    (session,) = sessions(tmp_path / "x.pcapng")
    assert (session.server.address, session.client.address) == (shown, local)


def test_the_line_that_replays_tells_the_way(tmp_path: Path) -> None:
    target = Target("::1", 25, "::1", "h", "smtp", "socks5://127.0.0.1:1080")
    write(tmp_path / "x", finding(target=target))
    readme = (tmp_path / "x" / "README.txt").read_text().splitlines()
    assert readme[-1] == (
        f"tlswire replay {tmp_path / 'x'} --to '[::1]:25' --starttls smtp --proxy socks5://127.0.0.1:1080"
    )
    assert "target      [::1]:25 STARTTLS smtp, server name h, through socks5://127.0.0.1:1080" in readme
