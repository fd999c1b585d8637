from __future__ import annotations

import csv
import io

import pytest

from tlswire.report import csv as written
from tlswire.results.session import Process

from .made import HOSTILE, hello, refused, session

FORMULAS = [*"=+-@\t\r", "\uff1d", "\uff0b", "\uff0d", "\uff20", " =", "\n=", "\xa0="]


def read(*rows: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((written.header() + b"".join(rows)).decode(), newline="")))


def test_a_row_has_the_cells_of_the_header() -> None:
    (row,) = read(written.row(session(weak=["RC4 (RFC 7465)", "MD5 (RFC 6151)"])))
    assert list(row) == list(written.COLUMNS)
    assert row["start"] == "2023-11-14T22:13:20.250000Z"
    assert (row["client_address"], row["client_port"], row["server_port"]) == ("10.0.0.1", "50000", "443")
    assert (row["version"], row["version_code"]) == ("TLS 1.2", "0x0303")
    assert row["weak"] == "RC4 (RFC 7465);MD5 (RFC 6151)"
    assert (row["resumed"], row["retry"], row["ended_by"]) == ("false", "", "")


def test_what_is_not_there_is_empty() -> None:
    (row,) = read(written.row(refused(hellos=[], server_name=None, start=0.0)))
    assert (row["version"], row["ja4"], row["server_name"], row["start"]) == ("", "", "", "")
    assert row["alerts"] == "server fatal handshake_failure"
    assert row["ended_by"] == "handshake_failure from server"


def test_the_header_is_a_contract() -> None:
    """New columns go to the end: who reads by place must not be surprised."""
    assert written.header().startswith(
        b"capture,first_frame,start,transport,client_address,client_port,server_address,server_port,server_name,outcome,"
    )
    assert written.header().endswith(b"\r\n")


@pytest.mark.parametrize("start", FORMULAS)
def test_no_cell_and_no_member_of_a_list_is_a_formula(start: str) -> None:
    text = f"{start}cmd|' /C calc'!A1"
    assert written.cell(text).startswith("'")
    assert all(part.startswith("'") for part in written.cell([text, text]).split(";"))


def test_hostile_strings_stay_in_their_cell() -> None:
    evil = session(
        capture=HOSTILE,
        server_name=HOSTILE,
        alpn='"\r\n=1,2;3',
        process=Process(1, HOSTILE),
        notes=[HOSTILE, "plain"],
        hellos=[hello(alpn=[HOSTILE, "-1+1"])],
    )
    line = written.row(evil)
    assert line.count(b"\n") == 1
    assert all(char.isprintable() for char in line.decode().removesuffix("\r\n"))
    (row,) = read(line)
    escaped = "'=cmd|' /C calc'!A1\\x1b[31m\\u202e\\r\\n\\x3b\\x85"
    assert row["server_name"] == row["capture"] == row["process"] == escaped
    assert row["notes"] == f"{escaped};plain"
    assert row["offered_alpn"] == f"{escaped};'-1+1"
    assert row["alpn"] == '"\\r\\n=1,2\\x3b3'
    assert None not in row


def test_bytes_that_are_no_text_are_written() -> None:
    (row,) = read(written.row(session(capture="a\udcff.pcap")))
    assert row["capture"] == "a\\udcff.pcap"
