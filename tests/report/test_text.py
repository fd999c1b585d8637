from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tlswire.lab.server import running
from tlswire.report.text import render
from tlswire.results.scan import Finding
from tlswire.scan.pacing import Limits
from tlswire.scan.scanner import Options, scan_host

if TYPE_CHECKING:
    from tlswire.results import Scan


def scan(character: str, **options: object) -> Scan:
    with running(character) as lab:
        return scan_host("127.0.0.1", lab.port, Options(method="eliminate", limits=Limits(timeout=0.5), **options))  # type: ignore[arg-type]  # the caller knows the field


def test_problems_come_before_suites_and_worst_first() -> None:
    text = render(scan("legacy-mdm"))
    assert text.index("Problems") < text.index("TLS_RSA_WITH_RC4_128_SHA")
    assert text.index("RC4: 2 suites") < text.index("TLS 1.0 is accepted")
    assert "the same 10 suites as TLS 1.1" in text
    assert "complete; " in text
    assert "\033" not in text


def test_colour_is_only_colour() -> None:
    result = scan("modern")
    coloured = render(result, colour=True)
    plain = coloured
    for code in ("31", "32", "33", "1", "2", "0"):
        plain = plain.replace(f"\033[{code}m", "")
    assert coloured != plain
    assert plain == render(result)


def test_suites_stand_in_the_servers_order() -> None:
    result = scan("modern")
    text = render(result)
    places = [text.index(suite.code) for suite in result.versions[-1].suites]
    assert places == sorted(places)
    assert "in the server's order" in text


def test_what_is_unknown_is_said() -> None:
    text = render(scan("plain-http"))
    assert "speaks plain HTTP" in text
    assert "INCOMPLETE" in text


def test_a_finding_names_what_it_opens_the_door_to_and_in_verbose_the_remedy() -> None:
    finding = Finding("sweet32", "weak", "SWEET32", "RFC 9325 4.1", cve=["CVE-2016-2183"], remedy="turn 3DES off")
    result = msgspec.structs.replace(scan("modern"), findings=[finding])
    assert "SWEET32  (RFC 9325 4.1, CVE-2016-2183)\n" in render(result)
    assert "remedy" not in render(result)
    assert " remedy: turn 3DES off\n" in render(result, verbose=True)


def test_strings_from_outside_are_escaped() -> None:
    result = scan("modern")
    hostile = "\x1b[31m\u202e\r\n"
    evil = msgspec.structs.replace(
        result, notes=[hostile], error=hostile, target=msgspec.structs.replace(result.target, server_name=hostile)
    )
    assert all(char.isprintable() or char == "\n" for char in render(evil))
    assert "\\x1b[31m\\u202e\\r\\n" in render(evil)
